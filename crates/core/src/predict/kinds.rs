//! Kinds of methods, contents and clients, as numbers.

/// Methods that are told apart.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// What a media type begins with or ends in, and the number of its kind; the first that fits.
const CONTENT: [(&[u8], f32); 11] = [
    (b"application/json", JSON),
    (b"application/x-www-form-urlencoded", 2.0),
    (b"multipart/", 3.0),
    (b"application/xml", XML),
    (b"text/xml", XML),
    (b"text/", 5.0),
    (b"application/grpc", 6.0),
    (b"application/protobuf", 6.0),
    (b"application/x-protobuf", 6.0),
    (b"image/", MEDIA),
    (b"audio/", MEDIA),
];
const JSON: f32 = 1.0;
const XML: f32 = 4.0;
const MEDIA: f32 = 7.0;
const OTHER_CONTENT: f32 = 8.0;

/// What `User-Agent` begins with, and the number of that kind of client; the first that fits.
const CLIENTS: [(&[u8], f32); 29] = [
    (b"Mozilla/5.0 (compatible;", CRAWLER),
    (b"Mozilla/", BROWSER),
    (b"Opera/", BROWSER),
    (b"Googlebot", CRAWLER),
    (b"bingbot", CRAWLER),
    (b"DuckDuckBot", CRAWLER),
    (b"facebookexternalhit/", CRAWLER),
    (b"GPTBot/", CRAWLER),
    (b"Twitterbot/", CRAWLER),
    (b"aiohttp/", TOOL),
    (b"Apache-HttpClient/", TOOL),
    (b"axios/", TOOL),
    (b"curl/", TOOL),
    (b"Dart/", TOOL),
    (b"Go-http-client/", TOOL),
    (b"grpc-", TOOL),
    (b"HTTPie/", TOOL),
    (b"Java/", TOOL),
    (b"Java-http-client/", TOOL),
    (b"kube-probe/", TOOL),
    (b"libwww-perl/", TOOL),
    (b"node", TOOL),
    (b"okhttp/", TOOL),
    (b"PostmanRuntime/", TOOL),
    (b"Prometheus/", TOOL),
    (b"python-", TOOL),
    (b"Python", TOOL),
    (b"reqwest/", TOOL),
    (b"Wget/", TOOL),
];
const BROWSER: f32 = 1.0;
const TOOL: f32 = 2.0;
const CRAWLER: f32 = 3.0;

/// The number of a method.
pub(super) fn method(name: &str) -> f32 {
    METHODS.iter().position(|known| *known == name).unwrap_or(METHODS.len()) as f32
}

/// The number of the kind of content that a `Content-Type` names.
pub(super) fn content_type(value: Option<&[u8]>) -> f32 {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return 0.0 };
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let ends_in = |suffix: &[u8]| {
        essence.len() > suffix.len()
            && essence[essence.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
    };
    match first(&CONTENT, essence) {
        Some(kind) => kind,
        None if ends_in(b"+json") => JSON,
        None if ends_in(b"+xml") => XML,
        None if begins_with(essence, b"video/") => MEDIA,
        None => OTHER_CONTENT,
    }
}

/// The number of the kind of client that a `User-Agent` tells of.
pub(super) fn client(user_agent: Option<&[u8]>) -> f32 {
    user_agent.and_then(|value| first(&CLIENTS, value)).unwrap_or(0.0)
}

fn first(table: &[(&[u8], f32)], value: &[u8]) -> Option<f32> {
    let found = table.iter().find(|(prefix, _)| begins_with(value, prefix));
    found.map(|(_, kind)| *kind)
}

fn begins_with(value: &[u8], prefix: &[u8]) -> bool {
    value.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_contents_and_clients_have_the_numbers_of_the_schema() {
        assert_eq!(["GET", "DELETE", "PURGE", "get"].map(method), [0.0, 5.0, 6.0, 6.0]);
        for (value, kind) in [
            ("", 0.0),
            ("application/json; charset=utf-8", 1.0),
            ("application/problem+JSON", 1.0),
            ("application/x-www-form-urlencoded", 2.0),
            ("multipart/form-data; boundary=x", 3.0),
            ("text/xml", 4.0),
            ("application/soap+xml", 4.0),
            ("Text/Plain", 5.0),
            ("application/grpc+proto", 6.0),
            ("image/png", 7.0),
            ("video/mp4", 7.0),
            ("application/octet-stream", 8.0),
            ("+json", 8.0),
        ] {
            assert_eq!(content_type(Some(value.as_bytes())), kind, "{value}");
        }
        for (value, kind) in [
            ("", 0.0),
            ("my own thing", 0.0),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 1.0),
            ("curl/8.5.0", 2.0),
            ("python-requests/2.32", 2.0),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 3.0),
        ] {
            assert_eq!(client(Some(value.as_bytes())), kind, "{value}");
        }
        assert_eq!((content_type(None), client(None)), (0.0, 0.0));
    }
}
