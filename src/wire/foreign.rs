//! Other protocols that knock at this port, so that they are told instead of talked to.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::char;
use nom::{IResult, Parser};

/// Whether the first line of a session is the request line of HTTP (RFC 9112, section 3): a
/// browser tricked into posting here must not speak in anyone's name.
pub fn is_http_request(line: &[u8]) -> bool {
    request_line(line).is_ok()
}

fn request_line(line: &[u8]) -> IResult<&[u8], ()> {
    let method = take_while1(|b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let target = take_while1(|b: u8| b != b' ');
    let version = alt((tag("HTTP/"), tag("http/")));
    (method, char(' '), target, char(' '), version).map(|_| ()).parse(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_from_a_user_named_get() {
        assert!(is_http_request(b"GET / HTTP/1.1"));
        assert!(is_http_request(b"POST /x?y=1 HTTP/1.0"));
        assert!(is_http_request(b"PRI * HTTP/2.0"));
        for line in ["GET", "GET /", "GET / ", "GET HTTP/1.1", "", " GET / HTTP/1.1", "a b c"] {
            assert!(!is_http_request(line.as_bytes()), "{line:?}");
        }
    }
}
