//! What a request says: `a[b][0]=c` as Stripe's libraries write it, read into a tree and taken out again with the
//! complaints that Stripe makes.

use serde_json::{Map, Value, json};

/// Why a request is refused: the status and the error object of the answer.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: u16,
    pub error: Value,
}

/// An object, or a refusal.
pub type Answer = Result<Value, Refusal>;

impl Refusal {
    /// 400 `invalid_request_error`; empty texts are left out.
    pub fn invalid(code: &str, param: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(400, "invalid_request_error", code, param, message)
    }

    /// 404 for an id that names nothing. `param` says where the id stood; Stripe answers 400 when it was in the body.
    pub fn missing(kind: &str, id: &str, param: &str) -> Refusal {
        let status = if param == "id" { 404 } else { 400 };
        let kind = kind.replace('_', " ");
        Refusal::new(status, "invalid_request_error", "resource_missing", param, format!("No such {kind}: '{id}'"))
    }

    /// Any other.
    pub fn new(status: u16, kind: &str, code: &str, param: &str, message: impl Into<String>) -> Refusal {
        let mut error = json!({"type": kind, "message": message.into()});
        if !code.is_empty() {
            error["code"] = code.into();
            error["doc_url"] = format!("https://docs.stripe.com/error-codes/{}", code.replace('_', "-")).into();
        }
        if !param.is_empty() {
            error["param"] = param.into();
        }
        Refusal { status, error }
    }
}

/// The parameters of one request; every leaf is a text.
#[derive(Debug, Clone)]
pub struct Params(pub Value);

impl Params {
    /// Reads `application/x-www-form-urlencoded` text.
    pub fn read(text: &str) -> Params {
        let mut root = Value::Object(Map::new());
        for (key, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let mut place = &mut root;
            for (depth, part) in key.split('[').enumerate() {
                let part = if depth == 0 { part } else { part.trim_end_matches(']') };
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                let Value::Object(fields) = place else { break };
                let name = if part.is_empty() { fields.len().to_string() } else { part.to_owned() };
                place = fields.entry(name).or_insert(Value::Null);
            }
            *place = Value::String(value.into_owned());
        }
        Params(lists(root))
    }

    /// Refuses whatever is not among these paths, written as `items.price` and `metadata.*`. A path also allows what
    /// it lies in to be given as the empty text, which is how Stripe's libraries clear things.
    pub fn only(&self, known: &str) -> Result<(), Refusal> {
        let mut given = Vec::new();
        leaves(&self.0, "", "", &mut given);
        for (plain, written, value) in given {
            let fits = |path: &str| match path.strip_suffix(".*") {
                Some(start) => plain == start || plain.strip_prefix(start).is_some_and(|rest| rest.starts_with('.')),
                None => path == plain || (value.is_empty() && path.starts_with(&format!("{plain}."))),
            };
            if !known.split_whitespace().any(fits) {
                return Err(Refusal::invalid(
                    "parameter_unknown",
                    &written,
                    format!("Received unknown parameter: {written}"),
                ));
            }
        }
        Ok(())
    }

    /// The value at a path such as `items.0.price`.
    pub fn at(&self, path: &str) -> Option<&Value> {
        self.0.pointer(&format!("/{}", path.replace('.', "/")))
    }

    /// A text; also the empty one.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path).and_then(Value::as_str)
    }

    /// A text that is not empty, or null.
    pub fn or_null(&self, path: &str) -> Value {
        self.text(path).filter(|text| !text.is_empty()).into()
    }

    /// A text that must be there.
    pub fn need(&self, path: &str) -> Result<&str, Refusal> {
        let param = bracketed(path);
        match self.text(path) {
            Some("") => Err(Refusal::invalid(
                "parameter_invalid_empty",
                &param,
                format!("You passed an empty string for '{param}'."),
            )),
            Some(text) => Ok(text),
            None => Err(Refusal::invalid("parameter_missing", &param, format!("Missing required param: {param}."))),
        }
    }

    /// A whole number.
    pub fn integer(&self, path: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(path) else { return Ok(None) };
        let param = bracketed(path);
        let refused = |_| Refusal::invalid("parameter_invalid_integer", &param, format!("Invalid integer: {text}"));
        text.parse().map(Some).map_err(refused)
    }

    /// `true` or `false`.
    pub fn flag(&self, path: &str) -> Result<Option<bool>, Refusal> {
        let param = bracketed(path);
        match self.text(path) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Refusal::invalid("", &param, format!("Invalid boolean: {other}"))),
        }
    }

    /// One word of a list.
    pub fn word(&self, path: &str, words: &str) -> Result<Option<&str>, Refusal> {
        let Some(text) = self.text(path) else { return Ok(None) };
        if words.split_whitespace().any(|word| word == text) {
            return Ok(Some(text));
        }
        let words = words.replace(' ', ", ");
        let param = bracketed(path);
        Err(Refusal::invalid("", &param, format!("Invalid {param}: must be one of {words}")))
    }

    /// An absolute http or https address.
    pub fn address(&self, path: &str) -> Result<Option<&str>, Refusal> {
        let Some(text) = self.text(path) else { return Ok(None) };
        let plain = text.replace(['{', '}'], "");
        match url::Url::parse(&plain) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(text)),
            _ => Err(Refusal::invalid("url_invalid", &bracketed(path), "Not a valid URL")),
        }
    }

    /// `old` with what `metadata` sets and, by empty texts, takes away; within Stripe's limits.
    pub fn metadata(&self, path: &str, old: &Value) -> Answer {
        let mut merged = old.as_object().cloned().unwrap_or_default();
        match self.at(path) {
            Some(Value::Object(fields)) => merged.extend(fields.clone()),
            Some(Value::String(text)) if text.is_empty() => merged.clear(),
            Some(_) => return Err(Refusal::invalid("", path, "Invalid object")),
            None => {}
        }
        merged.retain(|_, value| value.as_str().is_none_or(|text| !text.is_empty()));
        let too_long = merged.iter().any(|(key, value)| {
            key.chars().count() > 40 || value.as_str().is_none_or(|text| text.chars().count() > 500)
        });
        if merged.len() > 50 || too_long {
            let limits = "Metadata has at most 50 keys of 40 characters with values of 500";
            return Err(Refusal::invalid("", &bracketed(path), limits));
        }
        Ok(Value::Object(merged))
    }
}

/// `a.b.0` as `a[b][0]`.
fn bracketed(path: &str) -> String {
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| format!("{path}[{part}]"))
}

/// Objects whose keys are numbers are lists.
fn lists(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let is_list = !fields.is_empty() && fields.keys().all(|key| key.parse::<usize>().is_ok());
    let mut fields: Vec<_> = fields.into_iter().map(|(key, value)| (key, lists(value))).collect();
    if is_list {
        fields.sort_by_key(|(key, _)| key.parse::<usize>().unwrap_or_default());
        return fields.into_iter().map(|(_, value)| value).collect();
    }
    Value::Object(fields.into_iter().collect())
}

/// Every leaf as (path without positions, path as Stripe writes it, value).
fn leaves(value: &Value, plain: &str, written: &str, found: &mut Vec<(String, String, String)>) {
    let inside = |name: &str| if written.is_empty() { name.to_owned() } else { format!("{written}[{name}]") };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if plain.is_empty() { name.clone() } else { format!("{plain}.{name}") };
                leaves(value, &path, &inside(name), found);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                leaves(value, plain, &inside(&at.to_string()), found);
            }
        }
        other => found.push((plain.to_owned(), written.to_owned(), other.as_str().unwrap_or_default().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_become_a_tree() {
        let params = Params::read("a[b]=1&items[0][price]=p&expand[]=x&expand[]=y&empty=");
        let expected = json!({"a": {"b": "1"}, "items": [{"price": "p"}], "expand": ["x", "y"], "empty": ""});
        assert_eq!(params.0, expected);
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let params = Params::read("items[0][price]=p&items[1][colour]=red&metadata[any]=thing");
        let refusal = params.only("items.price metadata.*").expect_err("colour is unknown");
        assert_eq!(refusal.error["param"], "items[1][colour]");
        assert_eq!(refusal.error["code"], "parameter_unknown");
        Params::read("metadata=&items=").only("items.price metadata.*").expect("cleared");
    }
}
