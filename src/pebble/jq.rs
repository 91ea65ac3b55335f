//! The filter `jq`.

use super::error::{Fault, Found};
use super::invoke::Call;
use super::value::Value;

/// Applies a jq program; the results are always a list.
pub fn filter(call: &Call<'_, '_>) -> Found<Value> {
    let Some(_program) = call.text("expression")? else {
        return Err(call.fault("The 'jq' filter expects an argument 'expression'."));
    };
    Err(Fault::unsupported("jq"))
}
