//! `/metrics`: figures for Prometheus (text format 0.0.4), on an address of their own. No scrape counts a whole table.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use chrono::{DateTime, Utc};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock;
use crate::counters;
use crate::model::DeliveryState;
use crate::store::{Result, Store};

use super::{answer, server};

/// A kind of figure, with its values by their labels.
type Family = (&'static str, &'static str, &'static str, Vec<(String, i64)>);

/// Answers `GET /metrics` to anybody who reaches `listener`, until `shutdown` turns true.
pub async fn serve_metrics(store: Store, listener: TcpListener, shutdown: watch::Receiver<bool>) -> io::Result<()> {
    let store = Arc::new(store);
    server::serve(move |request, _| respond(Arc::clone(&store), request), listener, shutdown).await
}

async fn respond(store: Arc<Store>, request: Request<Incoming>) -> Response<Body> {
    match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET | &Method::HEAD) => {
            let mut families = of_process();
            match of_store(&store, clock::now()).await {
                Ok(more) => families.extend(more),
                Err(error) => tracing::warn!(%error, "the figures of the database are left out"),
            }
            answer::answer(StatusCode::OK, "text/plain; version=0.0.4", Body::from(written(&families)))
        }
        ("/metrics", _) => answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n"),
        _ => answer::text(StatusCode::NOT_FOUND, "figures are at /metrics\n"),
    }
}

/// What this process has counted.
fn of_process() -> Vec<Family> {
    let labelled =
        |label: &str, value: &str| if label.is_empty() { String::new() } else { format!("{label}={value:?}") };
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let of_counter = |counter: &&counters::Counter| {
        let values = counter.counts().map(|(value, count)| (labelled(counter.label, value), signed(count)));
        (counter.name, "counter", counter.help, values.collect())
    };
    let mut families: Vec<Family> = counters::ALL.iter().map(of_counter).collect();
    let turn = counters::LAST_TURN.load(Ordering::Relaxed);
    families.push(gauge(
        "pressrun_scheduler_turn_timestamp_seconds",
        "When the scheduler last ended a turn here",
        turn,
    ));
    families
}

/// What the database knows, the same whichever process is asked.
async fn of_store(store: &Store, now: DateTime<Utc>) -> Result<Vec<Family>> {
    let mut counts = DeliveryState::ALL.map(|state| (state, 0));
    for issue in store.unfinished_issues().await? {
        for (state, count) in store.count_deliveries(&issue).await? {
            counts.iter_mut().filter(|(known, _)| *known == state).for_each(|(_, sum)| *sum += count);
        }
    }
    let by_state = counts.map(|(state, count)| (format!("state=\"{state}\""), count)).to_vec();
    let late = store.next_due(None).await?.map_or(0, |due_at| (now - due_at).num_seconds().max(0));
    let held = i64::from(store.held().await?.is_some());
    Ok(vec![
        ("pressrun_deliveries", "gauge", "Deliveries of issues that are not at rest, by state", by_state),
        gauge("pressrun_notices_waiting", "Notices that wait to be sent", store.count_waiting_notices().await?),
        gauge("pressrun_oldest_due_seconds", "For how long the mail that has waited longest could have gone", late),
        gauge("pressrun_sending_held", "Whether all sending is held", held),
    ])
}

fn gauge(name: &'static str, help: &'static str, value: i64) -> Family {
    (name, "gauge", help, vec![(String::new(), value)])
}

fn written(families: &[Family]) -> String {
    let mut text = String::new();
    for (name, kind, help, values) in families {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for (labels, value) in values {
            let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            text.push_str(&format!("{name}{labels} {value}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh;

    #[tokio::test]
    async fn the_reference_page_explains_every_figure() {
        let mut families = of_process();
        families.extend(of_store(&fresh::sqlite().await.0, clock::now()).await.unwrap());
        let explained = include_str!("../../docs/reference/metrics.md").lines().filter(|line| line.starts_with("| `"));
        let explained: Vec<String> = explained.map(|row| row.split(" | ").take(2).collect()).collect();
        let shown = families.iter().map(|(name, kind, ..)| format!("| `{name}`{kind}"));
        assert_eq!(explained, shown.collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn figures_are_read_and_nothing_is_changed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (url, store) = (format!("http://{}", listener.local_addr().unwrap()), fresh::sqlite().await);
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve_metrics(store.0, listener, stopped));
        let client = reqwest::Client::new();
        let read = client.get(format!("{url}/metrics")).send().await.unwrap();
        assert_eq!(
            (read.status().as_u16(), &read.headers()["content-type"]),
            (200, &"text/plain; version=0.0.4".parse().unwrap())
        );
        assert!(read.text().await.unwrap().contains("\npressrun_deliveries{state=\"queued\"} 0\n"));
        assert_eq!(client.post(format!("{url}/metrics")).send().await.unwrap().status().as_u16(), 405);
        assert_eq!(client.get(&url).send().await.unwrap().status().as_u16(), 404);
        stop.send_replace(true);
        serving.await.unwrap().unwrap();
    }

    #[test]
    fn figures_are_written_as_prometheus_reads_them() {
        let counted =
            ("a_total", "counter", "What", vec![("class=\"2xx\"".to_owned(), 7), ("class=\"5xx\"".to_owned(), 0)]);
        let expected = "# HELP a_total What\n# TYPE a_total counter\na_total{class=\"2xx\"} 7\na_total{class=\"5xx\"} 0\n\
            # HELP b Else\n# TYPE b gauge\nb 1\n";
        assert_eq!(written(&[counted, gauge("b", "Else", 1)]), expected);
    }
}
