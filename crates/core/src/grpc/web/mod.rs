//! gRPC-Web: RPCs of clients that cannot read trailers, such as pages in a browser. An RPC is the same as gRPC's but
//! for its content type, its trailers, which are the last frame of the content, and, in the text format, base64 around
//! all of that (*gRPC Web*).

mod bad_content;
mod frames;
#[cfg(test)]
mod testing;
mod text;
mod trailers;

pub use bad_content::BadContent;
pub use frames::Frames;
pub use text::{TextDecoder, encode_text};
pub use trailers::trailers_frame;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use super::content_type::{GRPC, encoding};

const WEB: &str = "application/grpc-web";
const WEB_TEXT: &str = "application/grpc-web-text";

/// How content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As it is.
    Binary,
    /// In base64, whose padding may stand anywhere between two bytes.
    Text,
}

/// An RPC in gRPC-Web.
#[derive(Debug, PartialEq, Eq)]
pub struct WebRpc {
    /// The format of the request.
    pub request: Format,
    /// The format that the response is wanted in.
    pub response: Format,
    /// The content type of the same request in gRPC.
    pub content_type: HeaderValue,
}

impl WebRpc {
    /// The RPC that a request of this method, with these fields, is; `None` if it is none of gRPC-Web.
    pub fn of(method: &Method, fields: &HeaderMap) -> Option<Self> {
        if *method != Method::POST {
            return None;
        }
        let (request, encoding) = Format::of(fields.get(CONTENT_TYPE)?.as_bytes())?;
        let content_type = HeaderValue::from_bytes(&[GRPC.as_bytes(), encoding].concat()).ok()?;
        let accepted = fields
            .get_all(ACCEPT)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let wanted = accepted.map(<[u8]>::trim_ascii).find_map(Format::of);
        let response = wanted.map_or(request, |(format, _)| format);
        Some(Self { request, response, content_type })
    }
}

impl Format {
    /// The format that a content type names, and the encoding of messages behind it.
    fn of(value: &[u8]) -> Option<(Self, &[u8])> {
        let text = encoding(value, WEB_TEXT).map(|encoding| (Self::Text, encoding));
        text.or_else(|| encoding(value, WEB).map(|encoding| (Self::Binary, encoding)))
    }

    /// The content type in this format of a response whose content type is this one; `None` if it is none of gRPC.
    pub fn content_type(self, value: &HeaderValue) -> Option<HeaderValue> {
        let encoding = encoding(value.as_bytes(), GRPC)?;
        let kind = match self {
            Self::Binary => WEB,
            Self::Text => WEB_TEXT,
        };
        HeaderValue::from_bytes(&[kind.as_bytes(), encoding].concat()).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rpc(content_type: &'static str, accept: Option<&'static str>) -> Option<WebRpc> {
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        fields.extend(accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept))));
        WebRpc::of(&Method::POST, &fields)
    }

    #[test]
    fn an_rpc_becomes_one_of_grpc_with_the_same_messages() {
        for (web, request, grpc) in [
            ("application/grpc-web", Format::Binary, "application/grpc"),
            ("application/grpc-web+proto", Format::Binary, "application/grpc+proto"),
            ("application/grpc-web-text", Format::Text, "application/grpc"),
            ("application/grpc-web-text+json", Format::Text, "application/grpc+json"),
            ("APPLICATION/GRPC-WEB-TEXT+Proto", Format::Text, "application/grpc+Proto"),
            ("application/grpc-web-text; charset=utf-8", Format::Text, "application/grpc"),
            ("application/grpc-web+proto ;charset=x", Format::Binary, "application/grpc+proto"),
        ] {
            let rpc = rpc(web, None).unwrap();
            assert_eq!((rpc.request, rpc.response), (request, request), "{web}");
            assert_eq!(rpc.content_type, grpc);
            let back = request.content_type(&rpc.content_type).unwrap();
            let (kind, _) = web.split_once([';', ' ']).unwrap_or((web, ""));
            assert!(back.as_bytes().eq_ignore_ascii_case(kind.as_bytes()), "{web}: {back:?}");
        }
    }

    #[test]
    fn the_response_is_written_as_the_client_accepts_it() {
        let wanted = |accept| rpc("application/grpc-web+proto", Some(accept)).unwrap().response;
        assert_eq!(wanted("application/grpc-web-text"), Format::Text);
        assert_eq!(wanted("application/grpc-web+proto"), Format::Binary);
        assert_eq!(wanted("*/*"), Format::Binary);
        assert_eq!(
            wanted("*/*, application/grpc-web-text+proto;q=0.9 , application/grpc-web"),
            Format::Text
        );
    }

    #[test]
    fn what_is_no_rpc_of_grpc_web_is_left_alone() {
        for other in [
            "application/grpc",
            "application/grpc-webx",
            "application/grpc-web text",
            "application/grpc-web-text, application/grpc-web",
            "application/json",
            "",
        ] {
            assert_eq!(rpc(other, None), None, "{other}");
        }
        let web = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(WEB))]);
        assert_eq!(WebRpc::of(&Method::GET, &web), None);
        assert_eq!(Format::Binary.content_type(&HeaderValue::from_static("text/html")), None);
    }
}
