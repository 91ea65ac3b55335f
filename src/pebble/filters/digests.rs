//! Filters that encode and digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;

use super::super::error::{Fault, Found};
use super::super::invoke::{Call, Row, bare};
use super::super::value::Value;

/// The filters of this file.
pub const ROWS: &[Row] = &[
    bare("base64encode", |call| changed(&call, |text| Ok(STANDARD.encode(text)))),
    bare("base64decode", |call| {
        changed(&call, |text| {
            let bytes = STANDARD.decode(text);
            let bytes = bytes.map_err(|_| Fault::unsupported("base64 that cannot be decoded is not simulated"))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
    }),
    bare("md5", |call| changed(&call, |text| Ok(hex(&md5::Md5::digest(text))))),
    bare("sha1", |call| changed(&call, |text| Ok(hex(&sha1::Sha1::digest(text))))),
    bare("sha256", |call| changed(&call, |text| Ok(hex(&sha2::Sha256::digest(text))))),
    bare("sha512", |call| changed(&call, |text| Ok(hex(&sha2::Sha512::digest(text))))),
];

fn changed(call: &Call<'_, '_>, change: impl Fn(&str) -> Found<String>) -> Found<Value> {
    match &call.input {
        Value::Null => Ok(Value::Null),
        Value::Text(text) => Value::text(change(text)?),
        other => {
            let class = other.class();
            Err(Fault::unsupported(format!("encoding or digesting a value of the class {class} is not simulated")))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
