//! Who may read how much of an article. Every outlet asks here: pages, feeds, mail, static build, issues on the web.

/// Whom an article is written for; the `access` of its front matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Access {
    /// Everybody.
    #[default]
    Public,
    /// Whoever has an active subscription.
    Subscribers,
    /// Whoever has a membership that opens it.
    Paid,
}

/// On whose behalf an article is about to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Viewer {
    /// Anybody: the web, feeds, crawlers, the static site, a forwarded link.
    Anybody,
    /// A subscriber with an active subscription.
    Subscriber,
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
    /// Every level, from the widest to the narrowest.
    pub const ALL: [Access; 3] = [Access::Public, Access::Subscribers, Access::Paid];

    /// The one decision about who reads what.
    pub fn portion_for(self, viewer: Viewer) -> Portion {
        match (self, viewer) {
            (Access::Public, _) | (Access::Subscribers, Viewer::Subscriber) => Portion::Whole,
            (Access::Subscribers, Viewer::Anybody) | (Access::Paid, _) => Portion::Preview,
        }
    }

    /// The word in front matter.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Public => "public",
            Access::Subscribers => "subscribers",
            Access::Paid => "paid",
        }
    }
}

impl Viewer {
    /// Every viewer for whom a mail or a page is made.
    pub const ALL: [Viewer; 2] = [Viewer::Anybody, Viewer::Subscriber];

    /// The word under which the variant for this viewer is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Viewer::Anybody => "anybody",
            Viewer::Subscriber => "subscriber",
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
                ("public", [Portion::Whole, Portion::Whole]),
                ("subscribers", [Portion::Preview, Portion::Whole]),
                ("paid", [Portion::Preview, Portion::Preview]),
            ]
        );
    }
}
