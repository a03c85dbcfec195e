//! Reading an endpoint's word on its own load.
//!
//! ORCA (Open Request Cost Aggregation; the CNCF's `xds.data.orca.v3.OrcaLoadReport`) is what Envoy, gRPC
//! and vLLM speak. Over HTTP a report is the field `endpoint-load-metrics` of a response: `TEXT` and pairs
//! of a name and a value, or `JSON` and the message as JSON. What ORCA has no name for, requests in
//! flight and latency, stands among its named metrics.

use std::collections::HashMap;

use serde::Deserialize;

use super::Report;

/// The named metric of requests in flight.
const IN_FLIGHT: &str = "in_flight";
/// The named metric of the latency near that number in flight, in milliseconds.
const LATENCY: &str = "latency_ms";

/// The message, by the names of its fields and by their JSON names (ProtoJSON accepts both).
#[derive(Deserialize, Default)]
#[serde(default)]
struct Message {
    #[serde(alias = "cpuUtilization")]
    cpu_utilization: Option<f64>,
    #[serde(alias = "applicationUtilization")]
    application_utilization: Option<f64>,
    #[serde(alias = "rpsFractional")]
    rps_fractional: Option<f64>,
    #[serde(alias = "namedMetrics")]
    named_metrics: HashMap<String, f64>,
}

/// What a probe is answered.
#[derive(Deserialize)]
struct Probed {
    in_flight: f64,
    latency_ms: Option<f64>,
}

impl Report {
    /// The report in a value of `endpoint-load-metrics`; `None` if it is none, or tells nothing of use.
    pub fn from_field(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?.trim();
        let (format, content) = value.split_once(' ')?;
        let message = match format {
            "TEXT" => Message::from_pairs(content)?,
            "JSON" => serde_json::from_str(content).ok()?,
            _ => return None,
        };
        let report = message.report();
        (report != Report::default()).then_some(report)
    }

    /// The report in the answer to a probe: a JSON object with `in_flight` and, where it is known, `latency_ms`.
    pub fn from_probe(content: &[u8]) -> Option<Self> {
        let probed: Probed = serde_json::from_slice(content).ok()?;
        let report = Report {
            in_flight: in_flight(probed.in_flight),
            latency: probed.latency_ms.and_then(seconds),
            ..Report::default()
        };
        report.in_flight.is_some().then_some(report)
    }
}

impl Message {
    fn from_pairs(content: &str) -> Option<Self> {
        let mut message = Message::default();
        for pair in content.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (name, value) = pair.split_once(['=', ':'])?;
            let value = value.trim().parse().ok()?;
            match name.trim() {
                "cpu_utilization" => message.cpu_utilization = Some(value),
                "application_utilization" => message.application_utilization = Some(value),
                "rps_fractional" => message.rps_fractional = Some(value),
                name => {
                    if let Some(name) = name.strip_prefix("named_metrics.") {
                        message.named_metrics.insert(name.into(), value);
                    }
                }
            }
        }
        Some(message)
    }

    fn report(self) -> Report {
        let named = |name| self.named_metrics.get(name).copied();
        // The application's own word goes before that of its processor.
        let utilization = self.application_utilization.or(self.cpu_utilization);
        Report {
            in_flight: named(IN_FLIGHT).and_then(in_flight),
            latency: named(LATENCY).and_then(seconds),
            utilization: utilization.and_then(sensible),
            rate: self.rps_fractional.and_then(sensible),
        }
    }
}

fn sensible(value: f64) -> Option<f64> {
    (value.is_finite() && value >= 0.0).then_some(value)
}

fn in_flight(value: f64) -> Option<u32> {
    sensible(value).map(|value| value as u32)
}

fn seconds(millis: f64) -> Option<f64> {
    sensible(millis).map(|millis| millis / 1_000.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(in_flight: u32, latency: f64, utilization: f64, rate: f64) -> Option<Report> {
        Some(Report {
            in_flight: Some(in_flight),
            latency: Some(latency),
            utilization: Some(utilization),
            rate: Some(rate),
        })
    }

    #[test]
    fn a_report_is_read_from_text_and_from_json() {
        let texts: [&[u8]; 3] = [
            b"TEXT cpu_utilization=0.9, application_utilization=0.25,rps_fractional=50,\
              named_metrics.in_flight=7, named_metrics.latency_ms=125, mem_utilization=0.5",
            br#"JSON {"cpu_utilization": 0.9, "application_utilization": 0.25, "rps_fractional": 50.0,
                "named_metrics": {"in_flight": 7, "latency_ms": 125.0}, "eps": 0.1}"#,
            br#"JSON {"applicationUtilization": 0.25, "rpsFractional": 50,
                "namedMetrics": {"in_flight": 7, "latency_ms": 125}}"#,
        ];
        for text in texts {
            assert_eq!(Report::from_field(text), report(7, 0.125, 0.25, 50.0));
        }
    }

    #[test]
    fn what_is_no_report_or_tells_nothing_is_none() {
        let texts: [&[u8]; 9] = [
            b"",
            b"TEXT",
            b"TEXT mem_utilization=0.5",
            b"TEXT cpu_utilization",
            b"TEXT cpu_utilization=much",
            b"TEXT rps_fractional=-1, cpu_utilization=NaN",
            b"JSON {",
            b"BIN AAAA",
            b"TEXT \xff=1",
        ];
        for text in texts {
            assert_eq!(Report::from_field(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_probe_is_answered_by_requests_in_flight_and_maybe_latency() {
        let known = Report { in_flight: Some(3), latency: Some(0.0125), ..Report::default() };
        assert_eq!(Report::from_probe(br#"{"in_flight": 3, "latency_ms": 12.5}"#), Some(known));
        let unknown = Report { latency: None, ..known };
        assert_eq!(Report::from_probe(br#"{"in_flight": 3, "latency_ms": null}"#), Some(unknown));
        assert_eq!(Report::from_probe(br#"{"latency_ms": 12.5}"#), None);
        assert_eq!(Report::from_probe(br#"{"in_flight": -3}"#), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_a_panic_into_sensible_numbers(value: Vec<u8>, text in "(TEXT|JSON) .*") {
            for value in [&value[..], text.as_bytes()] {
                for report in [Report::from_field(value), Report::from_probe(value)].into_iter().flatten() {
                    for number in [report.latency, report.utilization, report.rate].into_iter().flatten() {
                        prop_assert!(number.is_finite() && number >= 0.0);
                    }
                }
            }
        }
    }
}
