//! Texts become messages of HTTP that Wireshark sees the end of (RFC 9112).
//!
//! A head gets its blank line, and a length where the body would last until the connection ends,
//! or where the one that it has is not that of the text.
//! A text that is no head follows one, as Wireshark calls it, as a continuation: unless there was
//! none before it, or it would be read as a header with a broken name. Then it gets a head of its
//! own.

use std::borrow::Cow;

use hubbub::capture::Side;

/// What was added to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addition {
    /// A line end, or nothing.
    LineEnd,
    /// A blank line behind a head, or a length in it.
    Head,
    /// A whole head before it.
    NewHead,
}

/// What has to be known of a connection to say its next message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchange {
    /// Which side has sent a head.
    has_head: [bool; 2],
    /// Whether the last request was a HEAD: its response tells the length of a body that it does
    /// not have (RFC 9110, section 9.3.2).
    is_head_asked: bool,
}

impl Exchange {
    /// The message that a text becomes.
    pub fn message<'a>(&mut self, side: Side, text: &'a [u8]) -> (Cow<'a, [u8]>, Option<Addition>) {
        let has_head =
            std::mem::replace(&mut self.has_head[usize::from(side == Side::Server)], true);
        let fits = |kind: &Kind| (*kind == Kind::Request) == (side == Side::Client);
        let (head, body) = split(text);
        if let Some(kind) = head_kind(text).filter(fits).filter(|_| is_plain(head)) {
            let kind = self.note(kind, head);
            return end_head(text, head.trim_ascii_end(), body, kind);
        }
        if has_head && head_kind(text).is_none() && is_plain(text) {
            return end_line(text);
        }
        if side == Side::Client {
            self.is_head_asked = false;
        }
        (new_head(side, text).into(), Some(Addition::NewHead))
    }

    /// Remembers a request; a response to HEAD has no body.
    fn note(&mut self, kind: Kind, head: &[u8]) -> Kind {
        match kind {
            Kind::Request => self.is_head_asked = head.starts_with(b"HEAD "),
            Kind::Response if self.is_head_asked => return Kind::Bodiless,
            Kind::Response | Kind::Bodiless => {}
        }
        kind
    }
}

/// A head gets its blank line, and a length if it needs one.
fn end_head<'a>(
    text: &'a [u8],
    head: &[u8],
    body: &[u8],
    kind: Kind,
) -> (Cow<'a, [u8]>, Option<Addition>) {
    let mut whole = head.to_vec();
    if let Some(length) = new_length(head, body, kind) {
        whole = without_framing(head);
        whole.extend_from_slice(format!("\r\nContent-Length: {length}").as_bytes());
    }
    whole.extend_from_slice(b"\r\n\r\n");
    whole.extend_from_slice(body);
    let addition = (whole != text).then_some(Addition::Head);
    (whole.into(), addition)
}

/// What follows a head gets its line end.
fn end_line(text: &[u8]) -> (Cow<'_, [u8]>, Option<Addition>) {
    if text.ends_with(b"\r\n") {
        return (text.into(), None);
    }
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    ([text, b"\r\n"].concat().into(), Some(Addition::LineEnd))
}

/// The text behind a head of its own.
fn new_head(side: Side, text: &[u8]) -> Vec<u8> {
    let first = match side {
        Side::Client => "POST / HTTP/1.1",
        Side::Server => "HTTP/1.1 200 OK",
    };
    let head = format!("{first}\r\nContent-Length: {}\r\n\r\n", text.len());
    [head.as_bytes(), text].concat()
}

/// What a head begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
    /// A response that never has a body (RFC 9112, section 6.3).
    Bodiless,
}

/// Whether it begins as a request or a response does, and which. HTTP/0.9 has no version.
fn head_kind(text: &[u8]) -> Option<Kind> {
    // CONNECT is no head here: what follows it is no longer HTTP.
    const METHODS: [&[u8]; 8] =
        [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH"];
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (first, second) = (words.next()?, words.next()?);
    if !text.starts_with(first) {
        return None;
    }
    if first.starts_with(b"HTTP/") {
        let status = second.get(..3).filter(|status| *status != b"101")?;
        let is_bodiless = status[0] == b'1' || status == b"204" || status == b"304";
        return Some(if is_bodiless { Kind::Bodiless } else { Kind::Response });
    }
    METHODS.contains(&first).then_some(Kind::Request)
}

/// The head, and what is behind the blank line.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        if line.trim_ascii().is_empty() && line.ends_with(b"\n") {
            return text.split_at(end);
        }
        start = end;
    }
    (text, b"")
}

/// The length that the head should tell; none when it does, or need not.
fn new_length(head: &[u8], body: &[u8], kind: Kind) -> Option<usize> {
    let told = headers(head).find_map(|line| value(line, b"content-length"));
    let is_chunked = headers(head).any(|line| value(line, b"transfer-encoding").is_some());
    let is_right = told.is_some_and(|told| told == body.len().to_string().as_bytes());
    match kind {
        _ if is_right && !is_chunked => None,
        // It may tell the length of what it does not send (RFC 9110, section 8.6).
        Kind::Bodiless if body.is_empty() => None,
        _ if is_chunked && body.ends_with(b"0\r\n\r\n") => None,
        Kind::Bodiless if told.is_none() => None,
        Kind::Request if told.is_none() && !is_chunked && body.is_empty() => None,
        _ => Some(body.len()),
    }
}

/// The head without what it tells of the length of its body.
fn without_framing(head: &[u8]) -> Vec<u8> {
    let is_framing = |line: &[u8]| {
        value(line, b"content-length").is_some() || value(line, b"transfer-encoding").is_some()
    };
    let lines: Vec<&[u8]> = head
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !is_framing(line))
        .collect();
    lines.join(&b"\r\n"[..])
}

fn headers(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').skip(1)
}

/// The value of a header, if the line is that header.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (found, value) = line.split_at(colon);
    found.trim_ascii().eq_ignore_ascii_case(name).then(|| value[1..].trim_ascii())
}

/// Whether every line but a first of a head is a header, or cannot be taken for one; and none says
/// that what follows is anything but text.
fn is_plain(text: &[u8]) -> bool {
    const CODED: [&[u8]; 3] = [b"content-encoding", b"upgrade", b"transfer-encoding"];
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    // A head may tell how it is transferred: it is told the truth in that.
    let is_head = head_kind(text).is_some();
    let coded = if is_head { &CODED[..2] } else { &CODED[..] };
    text.split(|byte| matches!(byte, b'\n' | b'\r')).skip(usize::from(is_head)).all(|line| {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return true };
        let name = &line[..colon];
        let is_named = !name.is_empty() && name.iter().all(|byte| is_token(*byte));
        let is_text = value(line, b"content-type").is_none_or(is_text);
        is_named && is_text && !coded.iter().any(|coded| value(line, coded).is_some())
    })
}

/// Whether what has this type is text to Wireshark, right or wrong.
fn is_text(media: &[u8]) -> bool {
    const TEXTS: [&[u8]; 4] = [b"text/", b"application/json", b"application/xml", b"*/*"];
    TEXTS.iter().any(|text| media.get(..text.len()).is_some_and(|m| m.eq_ignore_ascii_case(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(text: &str, has_head: bool) -> String {
        let side = if text.starts_with("HTTP/") { Side::Server } else { Side::Client };
        let mut exchange = Exchange { has_head: [has_head; 2], is_head_asked: false };
        let (message, _) = exchange.message(side, text.as_bytes());
        String::from_utf8(message.into_owned()).unwrap()
    }

    #[test]
    fn a_head_gets_what_ends_it() {
        for (text, want) in [
            ("GET / HTTP/1.1", "GET / HTTP/1.1\r\n\r\n"),
            ("GET /old", "GET /old\r\n\r\n"),
            ("GET / HTTP/1.1\nHost: a\n", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
            ("HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            ("HTTP/1.1 204 No Content", "HTTP/1.1 204 No Content\r\n\r\n"),
            ("HTTP/1.0 200 OK\n\nhi", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
            ("POST / HTTP/1.1\r\n\r\nhi", "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nServer: a\r\n\r\nhi",
                "HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 2\r\n\r\nhi",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhi",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            ),
        ] {
            assert_eq!(done(text, false), want);
        }
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        let (_, addition) = Exchange::default().message(Side::Server, whole.as_bytes());
        assert_eq!((done(whole, false).as_str(), addition), (whole, None));
    }

    #[test]
    fn an_answer_to_head_tells_the_length_of_what_it_does_not_send() {
        let mut exchange = Exchange::default();
        let mut said = |side, text: &'static str| {
            String::from_utf8(exchange.message(side, text.as_bytes()).0.into_owned()).unwrap()
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
        assert_eq!(said(Side::Client, "HEAD / HTTP/1.1"), "HEAD / HTTP/1.1\r\n\r\n");
        assert_eq!(said(Side::Server, head), head);
        assert_eq!(said(Side::Client, "GET / HTTP/1.1"), "GET / HTTP/1.1\r\n\r\n");
        assert_eq!(said(Side::Server, head), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn a_text_follows_a_head_or_gets_one() {
        assert_eq!(done("Host: a", true), "Host: a\r\n");
        assert_eq!(done("<html>", true), "<html>\r\n");
        assert_eq!(done("", true), "\r\n");
        let new =
            |text: &str| format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        assert_eq!(done("Host: a", false), new("Host: a"));
        for text in ["{\"a\": 1}", "CONNECT a:1 HTTP/1.1", "Upgrade: x", "Content-Type: image/png"]
        {
            assert_eq!(done(text, true), new(text));
        }
    }
}
