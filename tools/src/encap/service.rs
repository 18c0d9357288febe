//! Applications: which port is whose, and what has to stand behind a text so that Wireshark sees
//! where it ends.

/// What is spoken, as far as it matters to a port or to the end of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Lines of text, LF at the end of each: Hubbub.
    Chat,
    /// Lines with CRLF, and a blank line behind a head.
    Http,
    /// It would be encrypted; a text there is what it is.
    Https,
    /// Messages of its own format.
    Dns,
    /// Lines with CRLF.
    Smtp,
    /// Lines with CRLF.
    Ftp,
    /// A line for the version, and then packets.
    Ssh,
    /// A name that means nothing here; the number tells names apart.
    Other(u16),
}

/// The ports (IANA's, and Hubbub's own) and the names, of which the first is shown.
const KNOWN: [(Service, u16, &[&str]); 7] = [
    (Service::Chat, 12_345, &["chat", "hubbub"]),
    (Service::Http, 80, &["HTTP", "http/1.0", "http/1.1", "www"]),
    (Service::Https, 443, &["HTTPS", "tls", "ssl"]),
    (Service::Dns, 53, &["DNS", "domain"]),
    (Service::Smtp, 25, &["SMTP", "mail"]),
    (Service::Ftp, 21, &["FTP"]),
    (Service::Ssh, 22, &["SSH"]),
];

/// Where the ports of services without a port of their own begin. Wireshark 4.0 knows no protocol
/// at these, nor at the client ports below them.
const OTHER_PORTS: u16 = 54_000;

/// How many services without a port of their own there can be.
pub const MAX_OTHERS: u16 = 328;

impl Service {
    /// The service of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        KNOWN.iter().find(|(_, _, names)| is(names)).map(|(service, ..)| *service)
    }

    /// What it is called; nothing for a service that means nothing here.
    pub fn name(self) -> Option<&'static str> {
        let known = KNOWN.iter().find(|(service, ..)| *service == self)?;
        known.2.first().copied()
    }

    /// The service at this port.
    pub fn at(port: u16) -> Option<Self> {
        KNOWN.iter().find(|(_, known, _)| *known == port).map(|(service, ..)| *service)
    }

    /// The port at which it is served.
    pub fn port(self) -> u16 {
        match self {
            Self::Other(number) => OTHER_PORTS + number.min(MAX_OTHERS - 1),
            known => KNOWN.iter().find(|(service, ..)| *service == known).map_or(0, |row| row.1),
        }
    }

    /// Whether it is spoken in datagrams unless somebody says otherwise.
    pub fn is_udp(self) -> bool {
        self == Self::Dns
    }

    /// Whether an empty text is still something on the wire, in a connection.
    pub fn fills_empty(self) -> bool {
        self == Self::Dns || !self.line_end().is_empty()
    }

    /// What stands behind each text in a connection.
    pub fn line_end(self) -> &'static [u8] {
        match self {
            Self::Chat => b"\n",
            Self::Http | Self::Smtp | Self::Ftp | Self::Ssh => b"\r\n",
            Self::Https | Self::Dns | Self::Other(_) => b"",
        }
    }

    /// What Wireshark takes it for at these ports: most of the ports that it knows decide. At the
    /// other two nothing is added to what is spoken there in place of the usual.
    #[must_use]
    pub fn on_wire(self, ports: [u16; 2]) -> Self {
        match ports.into_iter().find_map(Self::at) {
            Some(Self::Chat) if self != Self::Chat => Self::Https,
            Some(usual) => usual,
            None => self,
        }
    }
}
