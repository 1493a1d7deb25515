//! What people see: plain HTML that a browser clicks through without JavaScript.

use crate::state::text;
use serde_json::Value;

/// What a page answers.
pub enum Page {
    /// A page with its status.
    Html(u16, String),
    /// 303 to an address.
    Go(String),
}

/// A whole page from its title and what stands in `main`.
pub fn page(status: u16, title: &str, main: &str) -> Page {
    let title = escape(title);
    Page::Html(
        status,
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">\
             <style>body{{font:1rem/1.5 sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}}\
             input{{display:block;font:inherit;width:100%;box-sizing:border-box}}button{{font:inherit;margin:.5rem 0}}\
             </style><main><h1>{title}</h1><p><small>This page stands in for the payment provider's, for tests. No \
             money moves.</small></p>{main}</main></html>"
        ),
    )
}

/// A form with one button, posted to `action`.
pub fn form(action: &str, fields: &str, button: &str) -> String {
    let (action, button) = (escape(action), escape(button));
    format!("<form method=\"post\" action=\"{action}\">{fields}<button type=\"submit\">{button}</button></form>")
}

/// A labelled field.
pub fn field(name: &str, label: &str, value: &str) -> String {
    let (label, value) = (escape(label), escape(value));
    format!("<p><label>{label}<input name=\"{name}\" value=\"{value}\" required></label></p>")
}

/// A link.
pub fn link(href: &str, words: &str) -> String {
    format!("<p><a href=\"{}\">{}</a></p>", escape(href), escape(words))
}

/// A sentence that reports something.
pub fn notice(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("<p role=\"alert\">{}</p>", escape(words)) }
}

/// An amount such as `5.00 EUR`; currencies here have two decimals.
pub fn amount(minor: i64, currency: &str) -> String {
    format!("{}.{:02} {}", minor / 100, (minor % 100).abs(), currency.to_uppercase())
}

/// What a price asks for, such as `5.00 EUR every month`.
pub fn rate(price: &Value) -> String {
    let each = amount(price["unit_amount"].as_i64().unwrap_or_default(), text(price, "/currency"));
    format!("{each} every {}", text(price, "/recurring/interval"))
}

/// Text between tags and in attributes.
pub fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The digits of a card's number, or what is wrong with it.
pub fn card_number(typed: &str) -> Result<String, &'static str> {
    let digits: String = typed.chars().filter(|character| !character.is_whitespace()).collect();
    let known = [crate::money::GOOD, crate::money::DECLINED, crate::money::FAILS_LATER];
    if !known.contains(&digits.as_str()) {
        return Err("Your card number is invalid.");
    }
    if digits == crate::money::DECLINED {
        return Err("Your card was declined.");
    }
    Ok(digits)
}
