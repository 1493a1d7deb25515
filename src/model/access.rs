//! Who may read how much of an article. Every outlet asks here: pages, feeds, mail, static build, issues on the web.

use super::{NewsletterId, Plan, words};

words! {
    /// Whom an article is written for, from the widest to the narrowest; the `access` of its front matter.
    #[derive(Default)]
    pub enum Access {
        /// Everybody.
        #[default]
        Public = "public",
        /// Whoever has an active subscription, or a membership.
        Subscribers = "subscribers",
        /// Whoever has a membership that opens it.
        Paid = "paid",
    }

    /// On whose behalf an article is about to be shown. Each reads whatever those before it read.
    pub enum Viewer {
        /// Anybody: the web, feeds, crawlers, the static site, a forwarded link.
        Anybody = "anybody",
        /// A subscriber with an active subscription.
        Subscriber = "subscriber",
        /// A subscriber with a membership.
        Member = "member",
    }
}

/// What somebody reads who has signed in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    /// Whether they have an active subscription.
    pub is_subscriber: bool,
    /// What their memberships open.
    pub opens: Opens,
}

/// The newsletters whose paid articles are opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opens {
    /// These, sorted; none: nothing that is paid for.
    These(Vec<NewsletterId>),
    /// All, and what is in none.
    Everything,
}

impl Reading {
    /// What anybody reads.
    pub const ANYBODY: Reading = Reading { is_subscriber: false, opens: Opens::These(Vec::new()) };

    /// Everything that anybody can read as, where these are sold: what anybody reads first.
    pub fn all_of(plans: &[Plan]) -> Vec<Reading> {
        let mut opens = vec![Opens::These(Vec::new()), Opens::Everything];
        opens.extend(plans.iter().filter(|plan| !plan.opens.is_empty()).map(|plan| Opens::These(plan.opens.clone())));
        let of = |is_subscriber| opens.iter().cloned().map(move |opens| Reading { is_subscriber, opens });
        of(false).chain(of(true)).collect()
    }

    /// As whom one reads what stands in `newsletters`.
    pub fn viewer_of(&self, newsletters: &[NewsletterId]) -> Viewer {
        let is_opened = match &self.opens {
            Opens::Everything => true,
            Opens::These(opened) => newsletters.iter().any(|newsletter| opened.contains(newsletter)),
        };
        match (is_opened, self.is_subscriber) {
            (true, _) => Viewer::Member,
            (false, true) => Viewer::Subscriber,
            (false, false) => Viewer::Anybody,
        }
    }
}

/// How much of an article is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Portion {
    /// All of it.
    Whole,
    /// What stands before `<!-- more -->`, else the summary.
    Preview,
}

impl Access {
    /// The one decision about who reads what.
    pub fn portion_for(self, viewer: Viewer) -> Portion {
        match (self, viewer) {
            (Access::Public, _)
            | (Access::Subscribers, Viewer::Subscriber | Viewer::Member)
            | (Access::Paid, Viewer::Member) => Portion::Whole,
            (Access::Subscribers, Viewer::Anybody) | (Access::Paid, Viewer::Anybody | Viewer::Subscriber) => {
                Portion::Preview
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_opens_what_it_says() {
        let [wire, weekly] = ["wire", "weekly"].map(NewsletterId::new);
        let of = |opens| Reading { is_subscriber: true, opens };
        let one = of(Opens::These(vec![weekly.clone()]));
        assert_eq!(one.viewer_of(&[wire.clone(), weekly]), Viewer::Member);
        assert_eq!([one.viewer_of(std::slice::from_ref(&wire)), one.viewer_of(&[])], [Viewer::Subscriber; 2]);
        assert_eq!(of(Opens::Everything).viewer_of(&[]), Viewer::Member);
        assert_eq!(Reading::all_of(&[]).len(), 4);
        assert_eq!(Reading::ANYBODY.viewer_of(&[wire]), Viewer::Anybody);
    }

    #[test]
    fn nobody_reads_more_than_was_meant_for_them() {
        let table: Vec<_> = Access::ALL
            .into_iter()
            .map(|access| (access.as_str(), Viewer::ALL.map(|viewer| access.portion_for(viewer))))
            .collect();
        assert_eq!(
            table,
            [
                ("public", [Portion::Whole, Portion::Whole, Portion::Whole]),
                ("subscribers", [Portion::Preview, Portion::Whole, Portion::Whole]),
                ("paid", [Portion::Preview, Portion::Preview, Portion::Whole]),
            ]
        );
    }
}
