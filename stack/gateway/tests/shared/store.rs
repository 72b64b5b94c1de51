//! A store of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

pub(crate) struct Store {
    folder: tempfile::TempDir,
    port: u16,
    flags: Vec<String>,
    child: Option<Child>,
}

impl Store {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server cannot choose a port and tell it. One that was free a moment ago mostly still is.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut store = Self { folder, port, flags, child: None };
        store.begin();
        store
    }

    /// Starts the server, and waits until it answers.
    pub(crate) fn begin(&mut self) {
        let program = std::env::var("SHARED_STORE_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let mut child = Command::new(&program)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"])
            .arg(self.folder.path())
            .args(["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"])
            .args(&self.flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{program}` cannot be started: {error}; `just shared` installs it"));
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let ready = said.any(|line| line.contains("Ready to accept connections"));
        // What it says later is read, or it would wait for a reader.
        std::thread::spawn(move || said.for_each(drop));
        assert!(ready, "it ended");
        self.child = Some(child);
    }

    pub(crate) fn address(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn connect(&self) -> redis::Connection {
        redis::Client::open(self.address()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
