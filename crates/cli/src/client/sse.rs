//! A small parser of server-sent events with a bound on what it keeps.

/// No event is larger: a log comes in chunks of far less.
const LARGEST_EVENT: usize = 16 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; `message` where it has none.
    pub(crate) name: String,
    /// Its lines, with line ends between them.
    pub(crate) data: String,
    /// The last id seen up to here; where to go on after a break.
    pub(crate) id: Option<String>,
}

/// The event grew beyond every bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Turns bytes, cut anywhere, into events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// The line that has no end yet.
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    started: bool,
    name: String,
    data: Option<String>,
    id: Option<String>,
}

impl Parser {
    /// Takes more bytes and adds the events that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], found: &mut Vec<Event>) -> Result<(), TooLarge> {
        for &byte in bytes {
            let follows_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.take_line(&line, found);
                }
                _ => self.line.push(byte),
            }
            let kept = self.line.len() + self.data.as_ref().map_or(0, String::len);
            if kept > LARGEST_EVENT {
                return Err(TooLarge);
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], found: &mut Vec<Event>) {
        let text = String::from_utf8_lossy(line);
        let mut text = text.as_ref();
        if !std::mem::replace(&mut self.started, true) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        if text.is_empty() {
            found.extend(self.dispatch());
            return;
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // Comments (an empty field) keep the connection alive; others mean nothing here.
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let data = self.data.take()?;
        Some(Event {
            name: if name.is_empty() {
                "message".to_owned()
            } else {
                name
            },
            data,
            id: self.id.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], piece: usize) -> Vec<Event> {
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for part in text.chunks(piece) {
            parser.feed(part, &mut found).unwrap();
        }
        found
    }

    fn event(name: &str, data: &str, id: Option<&str>) -> Event {
        Event {
            name: name.to_owned(),
            data: data.to_owned(),
            id: id.map(str::to_owned),
        }
    }

    #[test]
    fn events_come_out_alike_however_the_bytes_are_cut() {
        let text = "\u{feff}: hello\nid: 7\nevent: log\ndata: grün\ndata: b\ndata: \n\n\
                    data:c\r\n\r\n: ping\n\nevent: end\ndata\r\rid: 9\n\ndata: lost";
        let wanted = [
            event("log", "grün\nb\n", Some("7")),
            event("message", "c", Some("7")),
            event("end", "", Some("7")),
        ];
        for piece in 1..=text.len() {
            assert_eq!(all(text.as_bytes(), piece), wanted, "pieces of {piece}");
        }
    }

    #[test]
    fn the_last_id_stays_until_there_is_another() {
        let found = all(b"id: 1\ndata: a\n\ndata: b\n\nid: 3\ndata: c\n\n", 4);
        let ids: Vec<_> = found.iter().map(|e| e.id.as_deref()).collect();
        assert_eq!(ids, [Some("1"), Some("1"), Some("3")]);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = Parser::default();
        let mut found = Vec::new();
        let line = [b"data: ".as_slice(), &vec![b'x'; 1 << 20], b"\n"].concat();
        let fed: Vec<_> = (0..17).map(|_| parser.feed(&line, &mut found)).collect();
        assert_eq!(fed.last(), Some(&Err(TooLarge)));
        assert!(found.is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let found = all(b"data: a\xff\xfeb\n\n", 3);
        assert_eq!(found[0].data, "a\u{fffd}\u{fffd}b");
    }
}
