//! Closed sets of words: what the data of a version may name, each implemented once.

/// An enum whose values the data names by words.
macro_rules! words {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$item:meta])+ $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$item])+ $variant,)+ }

        impl $name {
            /// The words that the data of a version writes.
            pub(super) const WORDS: &[(&str, $name)] = &[$(($text, $name::$variant)),+];
        }
    )+};
}

pub(super) use words;
