//! Enums whose values are words: in settings, forms, files, answers and the database.

/// Writes enums in which each value has its word, and the ways from one to the other.
///
/// The order of the values is the order of `ALL` and of comparisons.
macro_rules! words {
    ($($(#[$about:meta])* pub enum $name:ident { $($(#[$detail:meta])* $value:ident = $word:literal,)+ })+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$detail])* #[serde(rename = $word)] $value,)+ }

        impl $name {
            /// Each value, in order.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$value),+];
            /// Each value with its word, in order.
            pub const WORDS: [(&'static str, Self); Self::ALL.len()] = [$(($word, Self::$value)),+];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|known| known.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    )+};
}

pub(crate) use words;
