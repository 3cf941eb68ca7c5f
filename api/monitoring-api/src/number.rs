//! Numbers in JSON, which has none that are not finite: those are the texts `NaN`, `+Inf` and `-Inf`,
//! as Prometheus writes them.

use serde::{Deserialize, Deserializer, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Other(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else if value.is_nan() {
        serializer.serialize_str("NaN")
    } else {
        serializer.serialize_str(if *value > 0.0 { "+Inf" } else { "-Inf" })
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Number::deserialize(deserializer)? {
        Number::Finite(value) => Ok(value),
        Number::Other(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

pub(crate) fn schema() -> Schema {
    let number = ObjectBuilder::new().schema_type(Type::Number);
    let text = ObjectBuilder::new().schema_type(Type::String);
    let text = text.enum_values(Some(["NaN", "+Inf", "-Inf"]));
    OneOfBuilder::new().item(number).item(text).build().into()
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct One(#[serde(with = "super")] f64);

    #[test]
    fn every_number_comes_back() {
        for (value, want) in [
            (1.5, "1.5"),
            (f64::INFINITY, "\"+Inf\""),
            (f64::NEG_INFINITY, "\"-Inf\""),
            (f64::NAN, "\"NaN\""),
        ] {
            let text = serde_json::to_string(&One(value)).unwrap();
            assert_eq!(text, want);
            let One(back) = serde_json::from_str(&text).unwrap();
            assert_eq!(back.to_bits(), value.to_bits(), "{text}");
        }
        assert!(serde_json::from_str::<One>("\"x\"").is_err());
    }
}
