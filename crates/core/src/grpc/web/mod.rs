//! gRPC-Web: RPCs of clients that cannot read trailers, such as pages in a browser. An RPC is the same as gRPC's but
//! for its content type, its trailers, which are the last frame of the content, and, in the text format, base64 around
//! all of that (*gRPC Web*).

mod frames;
mod malformed;
#[cfg(test)]
mod testing;
mod text;
mod trailers;

pub use frames::Frames;
pub use malformed::Malformed;
pub use text::{TextDecoder, encode_text};
pub use trailers::trailers_frame;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::content_type::{GRPC, behind};

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
    /// The RPC whose request has these fields; `None` if it is none of gRPC-Web.
    pub fn of(fields: &HeaderMap) -> Option<Self> {
        let (request, rest) = Format::of(fields.get(CONTENT_TYPE)?)?;
        let content_type = HeaderValue::from_bytes(&[GRPC.as_bytes(), rest].concat()).ok()?;
        let wanted = fields.get(ACCEPT).and_then(Format::of);
        let response = wanted.map_or(request, |(format, _)| format);
        Some(Self { request, response, content_type })
    }
}

impl Format {
    /// The format that a content type names, and what stands behind it.
    fn of(value: &HeaderValue) -> Option<(Self, &[u8])> {
        let value = value.as_bytes();
        let text = behind(value, WEB_TEXT).map(|rest| (Self::Text, rest));
        text.or_else(|| behind(value, WEB).map(|rest| (Self::Binary, rest)))
    }

    /// The content type in this format of a response whose content type is this one; `None` if it is none of gRPC.
    pub fn content_type(self, value: &HeaderValue) -> Option<HeaderValue> {
        let rest = behind(value.as_bytes(), GRPC)?;
        let kind = match self {
            Self::Binary => WEB,
            Self::Text => WEB_TEXT,
        };
        HeaderValue::from_bytes(&[kind.as_bytes(), rest].concat()).ok()
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
        WebRpc::of(&fields)
    }

    #[test]
    fn an_rpc_becomes_one_of_grpc_with_the_same_messages() {
        for (web, request, grpc) in [
            ("application/grpc-web", Format::Binary, "application/grpc"),
            ("application/grpc-web+proto", Format::Binary, "application/grpc+proto"),
            ("application/grpc-web-text", Format::Text, "application/grpc"),
            ("application/grpc-web-text+json", Format::Text, "application/grpc+json"),
        ] {
            let rpc = rpc(web, None).unwrap();
            assert_eq!((rpc.request, rpc.response), (request, request), "{web}");
            assert_eq!(rpc.content_type, grpc);
            assert_eq!(request.content_type(&rpc.content_type).unwrap(), web);
        }
    }

    #[test]
    fn the_response_is_written_as_the_client_accepts_it() {
        let wanted = |accept| rpc("application/grpc-web+proto", Some(accept)).unwrap().response;
        assert_eq!(wanted("application/grpc-web-text"), Format::Text);
        assert_eq!(wanted("application/grpc-web+proto"), Format::Binary);
        assert_eq!(wanted("*/*"), Format::Binary);
    }

    #[test]
    fn what_is_no_rpc_of_grpc_web_is_left_alone() {
        for other in ["application/grpc", "application/grpc-webx", "application/json", ""] {
            assert_eq!(rpc(other, None), None, "{other}");
        }
        assert_eq!(Format::Binary.content_type(&HeaderValue::from_static("text/html")), None);
    }
}
