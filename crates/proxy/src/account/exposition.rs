//! The Prometheus text format 0.0.4.
//!
//! An encoder of our own because the crates on offer write OpenMetrics, whose differences
//! (`# EOF`, `# UNIT`, counters named without their suffix) `promtool check metrics` refuses.

use std::fmt::{Display, Write};

/// What kind of metric a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in cumulative buckets.
    Histogram,
}

/// A label's name and value.
pub type Label<'a> = (&'a str, &'a str);

/// A page of metrics that is being written.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// Begins a family; all its samples follow before the next family.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.text.push_str("# HELP ");
        self.text.push_str(name);
        self.text.push(' ');
        escape(&mut self.text, help, false);
        self.text.push_str("\n# TYPE ");
        self.text.push_str(name);
        self.text.push(' ');
        self.text.push_str(kind);
        self.text.push('\n');
        Family { text: &mut self.text, name }
    }

    /// The finished page.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// A family whose samples are being written.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.line("", labels, value);
    }

    /// One histogram. `bounds` gives the text of each bucket's `le`, `buckets` the observations of
    /// each bucket without those below it, with one more at the end that has no bound.
    pub fn histogram<'b>(
        &mut self,
        labels: &[Label<'_>],
        bounds: impl Iterator<Item = &'b str>,
        buckets: &[u64],
        sum: f64,
    ) {
        let mut labels_with_bound = labels.to_vec();
        let mut count = 0;
        for (bound, bucket) in bounds.chain(["+Inf"]).zip(buckets) {
            count += bucket;
            labels_with_bound.truncate(labels.len());
            labels_with_bound.push(("le", bound));
            self.line("_bucket", &labels_with_bound, count);
        }
        self.line("_sum", labels, sum);
        self.line("_count", labels, count);
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (index, (name, value)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(self.text, value, true);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, " {value}");
    }
}

/// Escapes what would end a line, and in a label's value what would end the value.
fn escape(text: &mut String, value: &str, quotes: bool) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes => text.push_str("\\\""),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_value_or_a_line_is_escaped() {
        let mut page = Exposition::default();
        page.family("a_total", Kind::Counter, "one\\two \"quoted\"\nthree")
            .sample(&[("l", "x\"} 1\nforged 2\\"), ("m", "é")], 7);
        assert_eq!(
            page.into_text(),
            "# HELP a_total one\\\\two \"quoted\"\\nthree\n\
             # TYPE a_total counter\n\
             a_total{l=\"x\\\"} 1\\nforged 2\\\\\",m=\"é\"} 7\n"
        );
    }

    #[test]
    fn the_buckets_of_a_histogram_include_those_below() {
        let mut page = Exposition::default();
        page.family("a_seconds", Kind::Histogram, "A.").histogram(
            &[("l", "x")],
            ["0.1", "1"].into_iter(),
            &[1, 2, 4],
            12.5,
        );
        assert_eq!(
            page.into_text(),
            "# HELP a_seconds A.\n# TYPE a_seconds histogram\n\
             a_seconds_bucket{l=\"x\",le=\"0.1\"} 1\n\
             a_seconds_bucket{l=\"x\",le=\"1\"} 3\n\
             a_seconds_bucket{l=\"x\",le=\"+Inf\"} 7\n\
             a_seconds_sum{l=\"x\"} 12.5\n\
             a_seconds_count{l=\"x\"} 7\n"
        );
    }
}
