//! `billing`: memberships and money.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::audience::guarded;
use crate::billing::{Figures, figures};
use crate::clock;
use crate::model::Money;
use crate::store::Membership;

use super::opened::{OpenedStore, open_store};
use super::{Context, Done, Failure, time};

/// Show memberships and money
#[derive(Debug, Args)]
pub struct Billing {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how many members there are, who came and went, and what they pay
    Figures,
    /// Print all memberships as CSV, those that ended too
    ///
    /// What was bought by somebody who was erased has no address.
    Export,
}

/// Runs the command.
pub async fn run(billing: Billing, context: &Context) -> Done {
    let opened = open_store(context).await?;
    match billing.command {
        Command::Figures => {
            let figures = figures(&opened.store, clock::now()).await?;
            context.answer(&object(&figures), |_| page(&figures))
        }
        Command::Export => export(&opened, context).await,
    }
}

fn object(figures: &Figures) -> Value {
    let sums = |sums: &[Money]| -> Value {
        sums.iter().map(|sum| json!({"amount": sum.minor, "currency": sum.currency.code()})).collect()
    };
    json!({
        "members": figures.open,
        "new": figures.new,
        "lost": figures.lost,
        "monthly_revenue": sums(&figures.monthly),
        "received": sums(&figures.received),
    })
}

fn page(figures: &Figures) -> String {
    let sums = |sums: &[Money]| match sums {
        [] => "nothing".to_owned(),
        sums => sums.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let states: Vec<String> = figures.open.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let all: i64 = figures.open.values().sum();
    let of_states = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    format!(
        "members          {all}{of_states}\n                 whoever can read what is paid for now\n\
         new              {}\n                 bought in the last 30 days, trials included\n\
         lost             {}\n                 bought memberships that ended in the last 30 days\n\
         monthly revenue  {}\n                 what all that are paid and go on come to in a month, a year's price as a twelfth\n\
         received         {}\n                 paid in the last 30 days, less what was given back or is disputed",
        figures.new,
        figures.lost,
        sums(&figures.monthly),
        sums(&figures.received),
    )
}

/// The columns of the export.
const COLUMNS: [&str; 11] = [
    "email", "state", "plan", "price", "every", "began_at", "paid_until", "reads_until", "ends_at", "agreement",
    "customer",
];

async fn export(opened: &OpenedStore, context: &Context) -> Done {
    let broken = |error: csv::Error| Failure::ours(format!("the list cannot be written: {error}"), "try again");
    let (mut after, mut header) = (String::new(), Some(COLUMNS.map(str::to_owned)));
    loop {
        let some = opened.store.memberships_after(&after, 1_000).await?;
        let Some((last, ..)) = some.last() else { break };
        after.clone_from(last);
        let mut writer = csv::Writer::from_writer(Vec::new());
        let rows = some.iter().map(|(_, email, membership)| cells(email.as_deref(), membership));
        for row in header.take().into_iter().chain(rows) {
            writer.write_record(row.iter().map(|cell| guarded(cell).into_owned())).map_err(broken)?;
        }
        let text = writer.into_inner().unwrap_or_default();
        context.print(&String::from_utf8_lossy(&text))?;
    }
    match header {
        Some(header) => context.print(&format!("{}\n", header.join(","))),
        None => Ok(()),
    }
}

fn cells(email: Option<&str>, membership: &Membership) -> [String; COLUMNS.len()] {
    let bought = membership.bought.as_ref();
    let of = |read: &dyn Fn(&crate::store::Bought) -> String| bought.map(read).unwrap_or_default();
    [
        email.unwrap_or_default().to_owned(),
        membership.state.as_str().to_owned(),
        of(&|bought| bought.plan.to_string()),
        of(&|bought| bought.price.to_string()),
        of(&|bought| bought.every.as_str().to_owned()),
        time(membership.began_at),
        of(&|bought| time(bought.paid_until)),
        time(membership.reads_until),
        of(&|bought| bought.ends_at.map(time).unwrap_or_default()),
        of(&|bought| bought.agreement.to_string()),
        of(&|bought| bought.customer.to_string()),
    ]
}
