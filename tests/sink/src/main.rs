//! The sink as a program: `fault-sink [--bind 127.0.0.1:2525] [--log FILE] [--faults JSON] [--certificate FILE --key
//! FILE]`. It ends when it is told to, and says what it took and at what cost.

use std::path::Path;

use fault_sink::{Faults, Sink};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let names = ["--bind", "--log", "--faults", "--certificate", "--key"];
    let mut values = ["127.0.0.1:2525", "", "{}", "", ""].map(str::to_owned);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let place =
            names.iter().position(|name| *name == word).ok_or_else(|| format!("usage: fault-sink {names:?}"))?;
        values[place] = words.next().ok_or_else(|| format!("{word} needs a value"))?;
    }
    let [bind, log, faults, certificate, key] = values;
    let faults: Faults = serde_json::from_str(&faults)?;
    let certificate = (!certificate.is_empty()).then(|| (Path::new(&certificate), Path::new(&key)));
    let sink = Sink::start(&bind, certificate).await?;
    sink.begin(faults, (!log.is_empty()).then(|| Path::new(&log)))?;
    println!("{}", json!({"listening": sink.address().to_string()}));
    let mut told = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let [terminate, interrupt] = &mut told;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let totals = sink.totals();
    let microseconds = cpu_ticks()? * 10_000; // the kernel counts in hundredths of a second
    println!("{}", json!({"totals": totals, "cpu_us_per_dot": microseconds.checked_div(totals.dots)}));
    Ok(())
}

/// The processor's time that this process used (proc(5): utime and stime).
fn cpu_ticks() -> Result<u64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("proc(5) has another form here")?;
    let times: Result<Vec<u64>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(times?.into_iter().sum())
}
