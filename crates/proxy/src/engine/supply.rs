//! Live values: what is no part of the configuration, supplied beside it.

use super::Engine;

/// The kinds of live values, by their names.
const KINDS: &str = "`log`";

impl Engine {
    /// Take `value`, which is of this kind and name, into force at once.
    ///
    /// # Errors
    /// What is wrong with it, for people; nothing has changed then.
    pub fn supply(&self, kind: &str, name: &str, value: &[u8]) -> Result<(), String> {
        match kind {
            "log" => self.supply_log(name, value),
            other => Err(format!("there is no live value `{other}`: expected {KINDS}")),
        }
    }

    fn supply_log(&self, name: &str, value: &[u8]) -> Result<(), String> {
        match name {
            "filter" => {
                let directives =
                    str::from_utf8(value).map_err(|_| "a log filter is text in UTF-8")?;
                self.log.set(directives)
            }
            "reopen" => {
                if let Some(log) = &self.snapshot().access_log {
                    log.reopen();
                }
                Ok(())
            }
            other => Err(format!("there is no log value `{other}`: expected `filter` or `reopen`")),
        }
    }
}
