//! Lines on their way from one stream to another.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::cassette::LINE_BYTES_MAX;

/// Passes on what comes at once, and tells of each whole line.
pub(crate) async fn relay(
    mut from: impl AsyncRead + Unpin,
    to: &mut (impl AsyncWrite + Unpin),
    mut line: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut begun: Vec<u8> = Vec::new();
    loop {
        let read = from.read(&mut buffer).await?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            if !begun.is_empty() {
                line(&begun);
            }
            return Ok(());
        }
        // Before it is passed on, so that a message stands before what it brings about.
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if begun.len() < LINE_BYTES_MAX {
                begun.extend_from_slice(part);
            }
            if part.last() == Some(&b'\n') {
                begun.pop();
                line(&begun);
                begun.clear();
            }
        }
        to.write_all(bytes).await?;
        to.flush().await?;
    }
}
