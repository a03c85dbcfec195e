//! What each side says of itself first (RFC 9114 §7.2.4).

use bytes::BufMut;

use super::code::Code;
use super::varint;

/// Settings that are known here.
const MAX_FIELD_SECTION_SIZE: u64 = 0x06;
const ENABLE_CONNECT_PROTOCOL: u64 = 0x08;
/// Settings of HTTP/2, which must not be sent (RFC 9114 §7.2.4.1).
const OF_HTTP2: [u64; 4] = [0x02, 0x03, 0x04, 0x05];

/// What one side says of itself.
///
/// Both limits of QPACK's dynamic table are never sent, so they are 0: a table would have to be kept for each connection,
/// and its streams would wait for each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a field section that it takes, as RFC 9114 §4.2.2 counts them; `None`: any.
    pub field_section: Option<u64>,
    /// Whether it takes extended CONNECT (RFC 9220).
    pub extended_connect: bool,
}

impl Settings {
    /// Read the payload of a SETTINGS frame.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(mut payload: &[u8]) -> Result<Self, Code> {
        let mut settings = Self::default();
        let mut seen = Vec::new();
        while !payload.is_empty() {
            let (setting, length) = varint::read(payload).ok_or(Code::FRAME_ERROR)?;
            payload = &payload[length..];
            let (value, length) = varint::read(payload).ok_or(Code::FRAME_ERROR)?;
            payload = &payload[length..];
            if OF_HTTP2.contains(&setting) || seen.contains(&setting) {
                return Err(Code::SETTINGS_ERROR);
            }
            seen.push(setting);
            match (setting, value) {
                (MAX_FIELD_SECTION_SIZE, bytes) => settings.field_section = Some(bytes),
                (ENABLE_CONNECT_PROTOCOL, 0 | 1) => settings.extended_connect = value == 1,
                (ENABLE_CONNECT_PROTOCOL, _) => return Err(Code::SETTINGS_ERROR),
                _ => {}
            }
        }
        Ok(settings)
    }

    /// Write the payload of a SETTINGS frame.
    pub fn write(&self, into: &mut impl BufMut) {
        if let Some(bytes) = self.field_section {
            varint::write(MAX_FIELD_SECTION_SIZE, into);
            varint::write(bytes, into);
        }
        if self.extended_connect {
            varint::write(ENABLE_CONNECT_PROTOCOL, into);
            varint::write(1, into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for settings in
            [Settings::default(), Settings { field_section: Some(65_536), extended_connect: true }]
        {
            let mut payload = Vec::new();
            settings.write(&mut payload);
            assert_eq!(Settings::read(&payload), Ok(settings));
        }
    }

    #[test]
    fn settings_that_are_not_known_are_passed_over() {
        let settings = Settings::read(&[0x21, 0x05, 0x01, 0x40, 0x00, 0x06, 0x20]);
        assert_eq!(settings.map(|settings| settings.field_section), Ok(Some(32)));
    }

    #[test]
    fn settings_that_cannot_be_end_the_connection() {
        for (payload, code) in [
            (&[0x06][..], Code::FRAME_ERROR),
            (&[0x06, 0x40], Code::FRAME_ERROR),
            (&[0x04, 0x01], Code::SETTINGS_ERROR),
            (&[0x06, 0x01, 0x06, 0x01], Code::SETTINGS_ERROR),
            (&[0x08, 0x02], Code::SETTINGS_ERROR),
        ] {
            assert_eq!(Settings::read(payload), Err(code), "{payload:?}");
        }
    }
}
