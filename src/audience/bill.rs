//! What the mails about money say.

use crate::auth::NoticeError;
use crate::model::{Currency, Money};
use crate::render::{BillText, Imprint, Moment, NoticeText};
use crate::store::{Bill, Flow};

/// What the flows of mails about money are for; nothing asks for their token.
pub const BILLING: &str = "billing";

/// The text of a mail about money.
pub(super) fn bill_text(imprint: &Imprint<'_>, flow: &Flow) -> Result<NoticeText, NoticeError> {
    let Bill { what, plan, minor, currency, next_at, reads_until } = flow.read()?;
    let currency = Currency::parse(&currency).ok_or(NoticeError::Unknown)?;
    let sold = imprint.settings.billing.plans.iter().find(|sold| sold.id.as_str() == plan);
    Ok(NoticeText::Bill(Box::new(BillText {
        is_lapsed: what == "failed" && reads_until <= flow.created_at,
        what,
        plan: sold.map_or(plan, |sold| sold.title.clone()),
        amount: imprint.words.money(Money { minor, currency }),
        at: Moment::new(imprint, flow.created_at),
        next: next_at.map(|at| Moment::new(imprint, at)),
        reads_until: Moment::new(imprint, reads_until),
        account_address: format!("{}/account", imprint.base_url),
        plans_address: format!("{}/plans", imprint.base_url),
    })))
}
