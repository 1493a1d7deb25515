//! Who may read how much of an article. Every outlet asks here: pages, feeds, mail, static build, issues on the web.

use super::words;

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
}

words! {
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
