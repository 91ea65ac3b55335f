//! The order in which a `java.util.HashMap` of texts is walked, which shows wherever one is printed.

/// `String.hashCode`: over UTF-16 units.
pub fn text(value: &str) -> i32 {
    value.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The entries of a hash map in the order in which it is walked: by bucket, within a bucket in order of insertion.
///
/// `capacity` is what the map was made with (16 for one made without). Buckets that Java turns into trees (eight keys
/// that collide) keep their order of insertion here.
pub fn ordered<T>(entries: Vec<T>, capacity: usize, key: impl Fn(&T) -> i32) -> Vec<T> {
    let mut buckets = capacity.max(1).next_power_of_two();
    // A map doubles when more than three quarters of its buckets are taken.
    while entries.len() > buckets - buckets / 4 {
        buckets *= 2;
    }
    let mut entries = entries;
    let mask = buckets - 1;
    entries.sort_by_key(|entry| {
        let hash = key(entry) as u32;
        (hash ^ (hash >> 16)) as usize & mask
    });
    entries
}

#[cfg(test)]
mod tests {
    use super::{ordered, text};

    #[test]
    fn entries_are_walked_by_bucket() {
        assert_eq!(text("text"), 3_556_653);
        let names = ["text", "n", "r", "f", "z"];
        assert_eq!(ordered(names.to_vec(), 7, |name| text(name)), ["r", "z", "text", "n", "f"]);
        assert_eq!(ordered(names.to_vec(), 16, |name| text(name)), ["r", "f", "z", "text", "n"]);
    }
}
