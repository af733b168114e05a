//! What an unquoted scalar of YAML is: the rules of the first reading, for the second.

use serde_json::Value;

/// What an unquoted scalar is, as the first reading has it; what no JSON can say (`.inf`) is null.
pub(super) fn scalar(text: &str) -> Value {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Null,
        _ if matches!(unsigned, ".inf" | ".Inf" | ".INF") => return Value::Null,
        _ => {}
    }
    let has_leading_zero =
        unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.chars().all(|c| c.is_ascii_digit());
    if has_leading_zero || text.contains('_') || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Value::from(text);
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            let sign = if text.starts_with('-') { "-" } else { "" };
            let is_signed = digits.starts_with(['-', '+']);
            let number = i64::from_str_radix(&format!("{sign}{digits}"), radix).ok().filter(|_| !is_signed);
            return number.map_or_else(|| Value::from(text), Value::from);
        }
    }
    let number = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
    number.or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn first_reading(text: &str) -> Option<Value> {
        let map: BTreeMap<String, Value> = crate::manifest::document::any_yaml(&format!("a: {text}\n"))?;
        map.get("a").cloned()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// REC-1: both readings take the same unquoted scalars for numbers, truth values and texts.
        #[test]
        fn both_readings_type_a_scalar_alike(text in "[-+]?(0[xob])?[0-9a-f.eExob_+-]{1,6}|[-+]?\\.(inf|Inf|nan|NAN)|true|False|no|yes|[0-9]{15,22}") {
            let Some(first) = first_reading(&text) else { return Ok(()) };
            let second = scalar(&text);
            prop_assert_eq!(first.is_string(), second.is_string(), "{}: {:?}, {:?}", text, first, second);
            if !first.is_number() {
                prop_assert_eq!(first, second);
            }
        }
    }
}
