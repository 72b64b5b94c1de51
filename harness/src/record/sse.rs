//! The messages in a stream of server-sent events.

/// Takes a stream apart as it comes, and gives the data of each event that is complete.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    any: bool,
}

impl Events {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8], mut event: impl FnMut(&[u8])) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            let line = std::mem::take(&mut self.line);
            if line.is_empty() {
                if self.any && !self.data.is_empty() {
                    event(&self.data);
                }
                self.data.clear();
                self.any = false;
            } else if let Some(data) = line.strip_prefix(b"data:") {
                if self.any {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
                self.any = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_stream_is_cut() {
        let stream = b": hello\nid: 1\ndata: {\"a\":1}\n\nevent: message\r\ndata:x\r\ndata: y\r\n\r\nid: 2\ndata:\n\n";
        for size in 1..stream.len() {
            let (mut events, mut found) = (Events::default(), Vec::new());
            for part in stream.chunks(size) {
                events.push(part, |data| found.push(String::from_utf8_lossy(data).into_owned()));
            }
            assert_eq!(found, ["{\"a\":1}", "x\ny"], "in parts of {size}");
        }
    }
}
