//! What axe-core says about a page: for whatever WCAG 2.2 A and AA forbid, and for scrolling sideways.

use std::path::Path;

use serde::Deserialize;

use crate::chromium::Chromium;

/// A small phone, a phone, a desk (WCAG 2.2, 1.4.10 asks for 320).
const WIDTHS: [u32; 3] = [320, 375, 1280];
/// What is looked for. Small targets are off by default, and part of 2.2 AA (2.5.8).
const RUN: &str = "axe.run(document, {
    runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] },
    rules: { 'target-size': { enabled: true } }, resultTypes: ['violations'], iframes: false, preload: false,
}).then(found => found.violations.map(one => ({
    rule: one.id, help: one.help, places: one.nodes.map(node => node.html.slice(0, 160)) })))";
const WIDTH_NEEDED: &str = "document.documentElement.scrollWidth";

/// Something that a rule forbids.
#[derive(Debug, Deserialize)]
struct Violation {
    rule: String,
    help: String,
    places: Vec<String>,
}

/// The page as it is now, light and dark, on every width: how many views there were, and what is wrong in which. With a
/// folder for `pictures`, each view is left there. `axe` is the text of axe-core.
pub async fn looks(chromium: &Chromium, axe: &str, name: &str, pictures: Option<&Path>) -> (usize, Vec<String>) {
    let (mut views, mut found) = (0, Vec::new());
    let _: bool = chromium.asks(&format!("{axe}; true")).await;
    for width in WIDTHS {
        for scheme in ["light", "dark"] {
            chromium.has_screen(width, 800).await;
            chromium.prefers(scheme).await;
            let view = format!("{name}-{width}-{scheme}");
            let needed: u32 = chromium.asks(WIDTH_NEEDED).await;
            if needed > width {
                found.push(format!("{view}: needs {needed} pixels"));
            }
            for Violation { rule, help, places } in chromium.asks::<Vec<Violation>>(RUN).await {
                found.push(format!("{view}: {rule}: {help}\n    {}", places.join("\n    ")));
            }
            if let Some(folder) = pictures {
                // A screen as high as the page: pictures beyond the screen lie, where text runs from the right.
                let height: u32 = chromium.asks("document.documentElement.scrollHeight").await;
                chromium.has_screen(width, height.max(800)).await;
                std::fs::create_dir_all(folder).expect("a folder for the pictures");
                let path = folder.join(format!("{view}.png"));
                std::fs::write(path, chromium.picture(false).await).expect("a picture");
            }
            views += 1;
        }
    }
    chromium.has_screen(1280, 900).await;
    chromium.prefers("light").await;
    (views, found)
}
