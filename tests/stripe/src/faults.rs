//! What goes wrong on purpose.

use serde_json::Value;

use crate::form::Refusal;
use crate::state::{number, text};

/// What happens instead of an answer, or after the thing was done.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fault {
    /// A status without the thing being done: 500 or 429.
    Status(u16),
    /// 500 without the thing being done; whoever asks again with the same key of idempotency gets it again.
    Kept,
    /// No answer, and nothing done.
    Hang,
    /// The thing is done, but no answer comes.
    HangAfter,
    /// The connection ends, and nothing is done.
    Drop,
    /// The thing is done; the connection ends without an answer.
    DropAfter,
}

/// One switch: the requests it is for, how many of them it lets pass first, for how many it is.
struct Switch {
    fault: Fault,
    endpoint: String,
    skip: i64,
    times: i64,
}

/// All switches.
#[derive(Default)]
pub struct Faults {
    /// Nothing but the control API answers.
    pub is_down: bool,
    switches: Vec<Switch>,
}

impl Faults {
    /// `{"what": "500" | "500_kept" | "429" | "hang" | "hang_after" | "drop" | "drop_after" | "nothing", "endpoint":
    /// "POST /v1/…", "skip": 0, "times": 1}`. In an endpoint, `:id` is any part and `*` any method or the rest of the path; without one, all
    /// of the API is meant. `nothing` turns all switches off.
    pub fn set(&mut self, wish: &Value) -> Result<(), Refusal> {
        let fault = match text(wish, "/what") {
            "500" => Fault::Status(500),
            "429" => Fault::Status(429),
            "500_kept" => Fault::Kept,
            "hang" => Fault::Hang,
            "hang_after" => Fault::HangAfter,
            "drop" => Fault::Drop,
            "drop_after" => Fault::DropAfter,
            "nothing" => {
                self.switches.clear();
                return Ok(());
            }
            other => return Err(Refusal::invalid("", "what", format!("No such fault: '{other}'"))),
        };
        let endpoint = wish["endpoint"].as_str().unwrap_or("* /v1/*").to_owned();
        let times = wish["times"].as_i64().unwrap_or(1);
        self.switches.push(Switch { fault, endpoint, skip: number(wish, "/skip"), times });
        Ok(())
    }

    /// What goes wrong with this request, if anything.
    pub fn strike(&mut self, method: &str, path: &str) -> Option<Fault> {
        if self.is_down {
            return Some(Fault::Drop);
        }
        for switch in self.switches.iter_mut().filter(|switch| fits(&switch.endpoint, method, path)) {
            if switch.skip > 0 {
                switch.skip -= 1;
            } else if switch.times > 0 {
                switch.times -= 1;
                return Some(switch.fault);
            }
        }
        None
    }
}

fn fits(endpoint: &str, method: &str, path: &str) -> bool {
    let (wanted, pattern) = endpoint.split_once(' ').unwrap_or(("*", endpoint));
    let mut parts = path.split('/');
    for part in pattern.split('/') {
        match (part, parts.next()) {
            ("*", Some(_)) => return wanted == "*" || wanted == method,
            (":id", Some(_)) => {}
            (part, Some(given)) if part == given => {}
            _ => return false,
        }
    }
    parts.next().is_none() && (wanted == "*" || wanted == method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_switch_is_for_its_endpoint_and_its_times() {
        let mut faults = Faults::default();
        let wish = json!({"what": "500", "endpoint": "POST /v1/checkout/sessions/:id/expire", "skip": 1, "times": 1});
        faults.set(&wish).expect("a known fault");
        let path = "/v1/checkout/sessions/cs_1/expire";
        assert_eq!(faults.strike("GET", path), None);
        assert_eq!(faults.strike("POST", "/v1/checkout/sessions"), None);
        let strikes: Vec<_> = (0..3).map(|_| faults.strike("POST", path)).collect();
        assert_eq!(strikes, [None, Some(Fault::Status(500)), None]);
    }
}
