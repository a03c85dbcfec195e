//! The fields of a head, judged one by one as they are read, in whatever version they come.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::alt_svc::AltSvc;
use super::forwarding::ForwardingFields;
use super::{Malformed, content_length};

/// What the fields of a head say of their message.
#[derive(Debug)]
pub struct HeadFields<'a> {
    of: Of<'a>,
    content_length: Option<u64>,
    /// Whether the length was said more than once.
    repeats_length: bool,
    expects_continue: bool,
    hosts: u32,
    cookies: usize,
    alt_svc: Option<AltSvc>,
    taken_off: SmallVec<[HeaderName; 2]>,
}

#[derive(Debug)]
enum Of<'a> {
    /// A request, without these fields.
    Request(Option<&'a ForwardingFields>),
    Response,
}

impl<'a> HeadFields<'a> {
    /// Those of a request; `taken_off` does not go on from here.
    pub fn of_request(taken_off: Option<&'a ForwardingFields>) -> Self {
        Self::new(Of::Request(taken_off))
    }

    /// Those of a response.
    pub fn of_response() -> Self {
        Self::new(Of::Response)
    }

    fn new(of: Of<'a>) -> Self {
        Self {
            of,
            content_length: None,
            repeats_length: false,
            expects_continue: false,
            hosts: 0,
            cookies: 0,
            alt_svc: None,
            taken_off: SmallVec::new(),
        }
    }

    /// Judge the next field.
    ///
    /// # Errors
    /// What it breaks, by itself or beside those before it.
    #[inline]
    pub fn see(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), Malformed> {
        if has_blank_end(value) {
            return Err(Malformed::Syntax);
        }
        match *name {
            header::CONTENT_LENGTH => self.see_length(value)?,
            header::HOST => self.hosts += 1,
            header::COOKIE => self.cookies += 1,
            header::EXPECT => self.see_expectation(value)?,
            // An endpoint's own speaks of its port (RFC 7838), and clients reach it by the gateway alone.
            header::ALT_SVC if matches!(self.of, Of::Response) => {
                let before = self.alt_svc.unwrap_or_default();
                self.alt_svc = AltSvc::parse(value).map(|said| before.and(said)).or(self.alt_svc);
                self.taken_off.push(header::ALT_SVC);
            }
            _ => {
                if let Of::Request(Some(fields)) = &self.of
                    && fields.has(name.as_str())
                {
                    self.taken_off.push(name.clone());
                }
            }
        }
        Ok(())
    }

    /// RFC 9112 §6.3: of an endpoint's response, the same length said again is that length. A request is refused,
    /// as a client has no reason to say it twice.
    fn see_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let length = match self.of {
            Of::Request(_) => content_length::plain(value)?,
            Of::Response => content_length::repeated(value)?,
        };
        let before = self.content_length.replace(length);
        self.repeats_length |= before.is_some() || value.contains(&b',');
        match (&self.of, before) {
            (_, None) => Ok(()),
            (Of::Response, Some(before)) if before == length => Ok(()),
            _ => Err(Malformed::Syntax),
        }
    }

    /// An expectation is the gateway's to fulfil (RFC 9110 §10.1.1).
    fn see_expectation(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if let Of::Response = self.of {
            return Ok(());
        }
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Malformed::Expectation);
        }
        self.expects_continue = true;
        self.taken_off.push(header::EXPECT);
        Ok(())
    }

    /// Bring the fields that were judged into the form in which they go on.
    pub fn settle(&self, headers: &mut HeaderMap) {
        for name in &self.taken_off {
            headers.remove(name);
        }
        if let (true, Some(length)) = (self.repeats_length, self.content_length) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }

    /// The length of the content, where it was said.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// What an endpoint says of HTTP/3, where it says something.
    pub fn alt_svc(&self) -> Option<AltSvc> {
        self.alt_svc
    }

    /// Whether the client waits for `100 Continue` before it sends the content.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// How many `Host` fields there are.
    pub fn hosts(&self) -> u32 {
        self.hosts
    }

    /// How many `Cookie` fields there are.
    pub fn cookies(&self) -> usize {
        self.cookies
    }
}

/// Whether blanks are left that belong to the line and not to the value (RFC 9110 §5.5).
pub(super) fn has_blank_end(value: &[u8]) -> bool {
    matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t'])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HEADS: [fn() -> HeadFields<'static>; 2] =
        [|| HeadFields::of_request(None), HeadFields::of_response];

    /// The fields as they go on, after they were judged.
    fn settled(
        mut judged: HeadFields<'_>,
        fields: &[(&'static str, &'static str)],
    ) -> Result<Vec<(String, String)>, Malformed> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            judged.see(&HeaderName::from_static(name), value.as_bytes())?;
            headers.append(*name, HeaderValue::from_static(value));
        }
        judged.settle(&mut headers);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        Ok(headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    #[test]
    fn a_value_has_no_blanks_at_its_ends() {
        for (judged, value) in
            HEADS.iter().flat_map(|new| [" a", "a ", "\ta", "a\t", " "].map(|v| (new(), v)))
        {
            assert_eq!(
                settled(judged, &[("x-internal", value)]),
                Err(Malformed::Syntax),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_length_is_said_as_a_number_and_as_one() {
        for new in HEADS {
            for value in ["", "+1", "1x", "1, 2"] {
                let judged = settled(new(), &[("content-length", value)]);
                assert_eq!(judged, Err(Malformed::Syntax), "{value:?}");
            }
            let two = [("content-length", "1"), ("content-length", "2")];
            assert_eq!(settled(new(), &two), Err(Malformed::Syntax));
        }
    }

    #[test]
    fn the_same_length_said_again_counts_once_in_a_response_alone() {
        let twice = [("content-length", "5"), ("content-length", "5")];
        for fields in [&twice[..], &[("content-length", "5, 5")]] {
            let once = [("content-length".to_owned(), "5".to_owned())];
            assert_eq!(settled(HeadFields::of_response(), fields).unwrap(), once);
            assert_eq!(settled(HeadFields::of_request(None), fields), Err(Malformed::Syntax));
        }
    }

    #[test]
    fn an_expectation_ends_here_and_only_one_is_known() {
        let expects = [("expect", "100-Continue")];
        assert!(settled(HeadFields::of_request(None), &expects).unwrap().is_empty());
        for value in ["200-ok", "100-continue, x", ""] {
            let judged = settled(HeadFields::of_request(None), &[expects[0], ("expect", value)]);
            assert_eq!(judged, Err(Malformed::Expectation), "{value:?}");
        }
    }

    #[test]
    fn what_an_endpoint_announces_is_known_and_ends_here() {
        let mut judged = HeadFields::of_response();
        judged.see(&header::ALT_SVC, b"h2=\":1\"").unwrap();
        judged.see(&header::ALT_SVC, b"h3=\":2\"").unwrap();
        judged.see(&header::ALT_SVC, b"?").unwrap();
        assert_eq!(judged.alt_svc(), AltSvc::parse(b"h3=\":2\""));
        let announced = [("alt-svc", "h3=\":2\"")];
        assert!(settled(HeadFields::of_response(), &announced).unwrap().is_empty());
    }

    #[test]
    fn forwarding_fields_of_clients_that_are_not_trusted_end_here() {
        let fields = ForwardingFields::new(&["x-mine".into()]);
        let sent = [("x-forwarded-for", "1"), ("x-mine", "1"), ("x-mine", "2"), ("x-other", "1")];
        let kept = |taken_off| settled(HeadFields::of_request(taken_off), &sent).unwrap().len();
        assert_eq!((kept(Some(&fields)), kept(None)), (1, 4));
    }
}
