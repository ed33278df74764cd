//! Names that people write: finding the known name that was meant.
//!
//! Owns similarity and the hint that follows from it; callers supply the known names.

/// The known name most similar to `name`, if one is similar.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (likeness(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|(a, a_name), (b, b_name)| {
            // Of two that are one step away, the one with the same letters was meant.
            let letters = |name: &str| strsim::jaro(&wanted, &name.to_lowercase());
            a.total_cmp(b)
                .then_with(|| letters(a_name).total_cmp(&letters(b_name)))
                .then_with(|| b_name.cmp(a_name))
        })
        .map(|(_, candidate)| candidate)
}

/// What to do about an unknown name: the nearest one, or all of them after `there_are`.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, there_are: &str) -> String {
    let known: Vec<_> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`? {there_are} {}", known.join(", ")),
        None => format!("{there_are} {}", known.join(", ")),
    }
}

/// Similarity from 0 to 1. Swapped letters count once, and a common prefix earns no bonus.
fn likeness(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(a, b)
}

/// "did you mean" for the nearest of the known names.
#[must_use]
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|known| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found() {
        let known = ["connection_timeout", "network_timeout", "host", "weight"];
        assert_eq!(
            nearest("connetcion_timeout", known),
            Some("connection_timeout")
        );
        assert_eq!(nearest("Host", known), Some("host"));
        assert_eq!(nearest("wieght", known), Some("weight"));
        assert_eq!(nearest("taks", ["take", "task"]), Some("task"));
        assert_eq!(nearest("host", ["host"]), None);
        assert_eq!(nearest("zebra", known), None);
    }

    #[test]
    fn a_hint_names_the_nearest_and_all() {
        let known = ["Browser", "Shopper"];
        assert_eq!(
            hint("Shoper", known, "there are"),
            "did you mean `Shopper`? there are Browser, Shopper"
        );
        assert_eq!(hint("X", known, "there are"), "there are Browser, Shopper");
    }
}
