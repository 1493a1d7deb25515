//! The looks of an article's HTML in mail: every element carries its style, because most mail programs drop
//! stylesheets; and the limit above which Gmail clips.

use super::context::Picture;
use super::html::escaped;

/// Bytes of a mail's HTML above which `check` warns.
pub const LARGE_MAIL: usize = 75 * 1024;
/// Bytes of a mail's HTML above which it is cut: Gmail clips at about 102 KB.
pub const LARGEST_MAIL: usize = 100 * 1024;
/// The width of the text in a mail of 600 pixels.
pub(super) const TEXT_WIDTH: usize = 536;
/// What every table with data in it carries.
pub(super) const DATA_TABLE: &str = " width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"";

/// Element and style. Outlook for Windows takes neither shorthand fonts on `p` nor margins on cells.
const STYLES: [(&str, &str); 22] = [
    ("p", "margin:0 0 16px"),
    ("a", "color:#a3291c"),
    ("h2", "margin:32px 0 8px;font-size:21px;line-height:1.25"),
    ("h3", "margin:24px 0 8px;font-size:18px;line-height:1.3"),
    ("h4", "margin:24px 0 8px;font-size:17px"),
    ("h5", "margin:24px 0 8px;font-size:17px"),
    ("h6", "margin:24px 0 8px;font-size:17px"),
    ("ul", "margin:0 0 16px;padding:0 0 0 24px"),
    ("ol", "margin:0 0 16px;padding:0 0 0 24px"),
    ("notes", "margin:0 0 16px;padding:0 0 0 24px;font-size:15px;line-height:1.45"),
    ("inner-list", "margin:8px 0;padding:0 0 0 24px"),
    ("li", "margin:0 0 8px"),
    ("task", "margin:0 0 8px;list-style-type:none"),
    ("blockquote", "margin:0 0 16px;padding:0 0 0 16px;border-left:3px solid #a3291c;font-style:italic"),
    ("remark", "margin:0 0 16px;padding:0 0 0 16px;border-left:3px solid #e2dfd8"),
    (
        "pre",
        "margin:0 0 16px;padding:12px;background-color:#f7f5f1;font:14px/1.5 Consolas,Menlo,monospace;white-space:pre-wrap;word-wrap:break-word",
    ),
    ("code", "font-family:Consolas,Menlo,monospace;font-size:15px"),
    ("hr", "margin:32px 0;border:0;border-top:1px solid #e2dfd8"),
    ("table", "margin:0 0 16px;border-collapse:collapse;font-size:15px;line-height:1.4"),
    ("th", "padding:8px 12px 8px 0;border-bottom:2px solid #e2dfd8;vertical-align:bottom"),
    ("td", "padding:8px 12px 8px 0;border-bottom:1px solid #e2dfd8;vertical-align:top"),
    ("sup", "font-size:12px;line-height:0"),
];

/// The style attribute of an element, with a space before it; nothing for elements that need none.
pub(super) fn style(element: &str, is_rtl: bool) -> String {
    let style = STYLES.iter().find(|(name, _)| *name == element).map_or("", |(_, style)| style);
    match (style, is_rtl) {
        ("", _) => String::new(),
        (_, false) => format!(" style=\"{style}\""),
        (_, true) => format!(" style=\"{}\"", mirrored(style)),
    }
}

/// The same with left and right exchanged: mail programs do not know logical properties.
fn mirrored(style: &str) -> String {
    let declaration = |declaration: &str| match declaration.split([':', ' ']).collect::<Vec<_>>().as_slice() {
        [name, top, right, bottom, left] => format!("{name}:{top} {left} {bottom} {right}"),
        _ => declaration.replace("-left", "-right"),
    };
    style.split(';').map(declaration).collect::<Vec<_>>().join(";")
}

/// A picture as wide as the text at most; the attributes are for Outlook, the style for everybody else.
pub(super) fn image(picture: &Picture) -> String {
    let (source, alt) = (escaped(&picture.address), escaped(&picture.alt));
    let drawn = picture.fitted(TEXT_WIDTH);
    let width = drawn.width.unwrap_or(TEXT_WIDTH);
    let size = if drawn.width.is_some() { drawn.size_attributes() } else { format!(" width=\"{width}\"") };
    format!(
        "<img src=\"{source}\"{size} alt=\"{alt}\" \
         style=\"display:block;border:0;width:100%;max-width:{width}px;height:auto\">"
    )
}

/// A picture with what stands below it.
pub(super) fn figure(picture: &Picture) -> String {
    let image = image(picture);
    let words = escaped(&picture.words());
    if words.is_empty() {
        return format!("<div style=\"margin:24px 0 24px\">{image}</div>\n");
    }
    format!(
        "<div style=\"margin:24px 0 8px\">{image}</div>\n\
         <p class=\"quiet\" style=\"margin:0 0 24px;font-size:14px;line-height:1.4;color:#5b5e66\">{words}</p>\n"
    )
}

/// The notes at the end of a text.
pub(super) fn notes(items: &str, is_rtl: bool) -> String {
    format!("<hr{}>\n<ol{}>\n{items}</ol>\n", style("hr", is_rtl), style("notes", is_rtl))
}

/// As many whole blocks from the front as fit into `room` bytes, and whether any had to be left out.
pub(super) fn cut(blocks: &[String], room: usize) -> (String, bool) {
    let mut kept = String::new();
    for block in blocks {
        if kept.len() + block.len() > room {
            return (kept, true);
        }
        kept.push_str(block);
    }
    (kept, false)
}
