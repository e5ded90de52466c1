//! jsonb as PostgreSQL stores it, walked in place. pgrx's `JsonB` goes through text and serde_json, which
//! turns integers beyond 2^64 into doubles (two different 23-digit ids become equal) and panics on deep
//! nesting; here numbers keep their digits, and whatever is kept is copied as it is.

use std::borrow::Cow;
use std::ffi::CStr;
use std::ptr::{addr_of_mut, null_mut};

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::nullable::Nullable;
use pgrx::pg_sys::jbvType::{jbvBinary, jbvBool, jbvNull, jbvNumeric, jbvString};
use pgrx::pg_sys::{
    JsonbIteratorToken as token, JsonbValue, JsonbValue__bindgen_ty_1__bindgen_ty_1 as JsonbString,
    JsonbValue__bindgen_ty_1__bindgen_ty_4 as JsonbBinary,
};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;

use crate::event::{Container, Json};

/// A whole, detoasted jsonb: an argument, a column of a row, or one that was built here.
#[derive(Clone, Copy)]
pub struct Jsonb(*mut pg_sys::Jsonb);

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller vouches that the datum is a jsonb, and a jsonb datum is a varlena.
        (!is_null).then(|| Jsonb(unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) }.cast()))
    }
}

// SAFETY: a jsonb argument is read through FromDatum above, which checks for NULL.
unsafe impl<'fcx> ArgAbi<'fcx> for Jsonb {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the function's declaration (ARGUMENT_SQL below) makes the argument a jsonb.
        match unsafe { arg.unbox_arg_using_from_datum() } {
            Some(value) => value,
            None => error!("a jsonb argument must not be NULL"),
        }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum() }.into()
    }
}

// SAFETY: the SQL type is jsonb, and that is what FromDatum reads.
unsafe impl SqlTranslatable for Jsonb {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Jsonb);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0.into())
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

impl Jsonb {
    /// The value at the top, be it an object, an array or a scalar.
    pub fn root(self) -> Node {
        // SAFETY: a Jsonb is a whole, detoasted jsonb, whose root is a container. A scalar is stored as
        // an array of one element that is marked as such.
        unsafe {
            let container = addr_of_mut!((*self.0).root);
            if (*container).header & pg_sys::JB_FSCALAR != 0 {
                return Node(*pg_sys::getIthJsonbValueFromContainer(container, 0));
            }
            Binary(container, pgrx::varsize_any_exhdr(self.0.cast()) as i32).to_node()
        }
    }
}

/// One value inside a jsonb: a scalar, or a container that is still in its binary form.
#[derive(Clone, Copy)]
pub struct Node(JsonbValue);

impl Node {
    /// The value as the rules of `event` see it. The text it borrows belongs to the jsonb, which outlives
    /// the call that it was passed to.
    pub fn json<'a>(&self) -> Json<'a, Binary> {
        // SAFETY: the union's member is the one that type_ names.
        unsafe {
            let value = &self.0.val;
            match self.0.type_ {
                t if t == jbvNull => Json::Null,
                t if t == jbvBool => Json::Bool(value.boolean),
                t if t == jbvNumeric => Json::Number(Cow::Owned(numeric_text(value.numeric))),
                t if t == jbvString => Json::String(Cow::Borrowed(text(&self.0))),
                _ => {
                    let binary = Binary(value.binary.data, value.binary.len);
                    if binary.is_object() { Json::Object(binary) } else { Json::Array(binary) }
                }
            }
        }
    }

    /// The text, if it is one; it belongs to the jsonb.
    pub fn text<'a>(&self) -> Option<&'a str> {
        // SAFETY: it is a string where its type says so.
        (self.0.type_ == jbvString).then(|| unsafe { text(&self.0) })
    }

    /// A copy of the value as a jsonb of its own.
    pub fn to_jsonb(mut self) -> Jsonb {
        // SAFETY: the value is a scalar or a binary container, both of which JsonbValueToJsonb takes.
        Jsonb(unsafe { pg_sys::JsonbValueToJsonb(&mut self.0) })
    }

    /// The container, if it is one.
    pub fn container(&self) -> Option<Binary> {
        if self.0.type_ != jbvBinary {
            return None;
        }
        // SAFETY: the union's member is the one that type_ names.
        Some(unsafe { Binary(self.0.val.binary.data, self.0.val.binary.len) })
    }
}

/// A container in its binary form, and its size in bytes.
#[derive(Clone, Copy)]
pub struct Binary(*mut pg_sys::JsonbContainer, i32);

impl Binary {
    /// Whether it is an object; otherwise it is an array.
    pub fn is_object(self) -> bool {
        // SAFETY: the pointer is to a container inside a jsonb that lives as long as the call.
        unsafe { (*self.0).header & pg_sys::JB_FOBJECT != 0 }
    }

    /// The container as a value.
    pub fn to_node(self) -> Node {
        // SAFETY: an all-zero JsonbValue is a valid null; it is made a container before anything reads it.
        let mut value: JsonbValue = unsafe { std::mem::zeroed() };
        value.type_ = jbvBinary;
        value.val.binary = JsonbBinary { len: self.1, data: self.0 };
        Node(value)
    }

    /// Its size in bytes.
    pub fn size(self) -> usize {
        usize::try_from(self.1).unwrap_or(0)
    }

    /// How deep it nests, itself included; counting stops once it is past `limit`.
    pub fn depth(self, limit: usize) -> usize {
        let (mut depth, mut deepest) = (0usize, 0usize);
        self.walk(false, |kind, _| {
            match kind {
                token::WJB_BEGIN_OBJECT | token::WJB_BEGIN_ARRAY => depth += 1,
                token::WJB_END_OBJECT | token::WJB_END_ARRAY => depth -= 1,
                _ => {}
            }
            deepest = deepest.max(depth);
            deepest <= limit
        });
        deepest
    }

    /// The elements of an array.
    pub fn element_nodes(self) -> Vec<Node> {
        let mut nodes = Vec::with_capacity(self.len());
        self.walk(true, |kind, value| {
            if kind == token::WJB_ELEM {
                nodes.push(Node(*value));
            }
            true
        });
        nodes
    }

    /// The names and values of an object.
    pub fn member_nodes<'a>(self) -> Vec<(&'a str, Node)> {
        let mut nodes = Vec::with_capacity(self.len());
        let mut name = "";
        self.walk(true, |kind, value| {
            match kind {
                // SAFETY: a key is a string.
                token::WJB_KEY => name = unsafe { text(value) },
                token::WJB_VALUE => nodes.push((name, Node(*value))),
                _ => {}
            }
            true
        });
        nodes
    }

    fn len(self) -> usize {
        // SAFETY: as in is_object.
        unsafe { ((*self.0).header & pg_sys::JB_CMASK) as usize }
    }

    /// Calls `visit` with each token until it answers false. `flat`: nested containers come as one value.
    fn walk(self, flat: bool, mut visit: impl FnMut(token::Type, &JsonbValue) -> bool) {
        // SAFETY: the container is whole; the iterator owns nothing but palloc'ed memory, which the
        // call's memory context frees when iteration stops early.
        unsafe {
            let mut iterator = pg_sys::JsonbIteratorInit(self.0);
            let mut value: JsonbValue = std::mem::zeroed();
            let mut skip = false;
            loop {
                let kind = pg_sys::JsonbIteratorNext(&mut iterator, &mut value, skip);
                if kind == token::WJB_DONE || !visit(kind, &value) {
                    return;
                }
                skip = flat;
            }
        }
    }
}

impl<'a> Container<'a> for Binary {
    fn elements(self) -> Vec<Json<'a, Self>> {
        self.element_nodes().iter().map(Node::json).collect()
    }

    fn members(self) -> Vec<(&'a str, Json<'a, Self>)> {
        self.member_nodes().into_iter().map(|(name, node)| (name, node.json())).collect()
    }
}

/// Builds an object from the members of `base`, if there is one, and further members.
pub fn object<'a>(base: Option<Binary>, extra: impl Iterator<Item = (&'a str, Node)>) -> Jsonb {
    let mut builder = Builder::new();
    builder.push(token::WJB_BEGIN_OBJECT, null_mut());
    for (name, mut node) in base.map(Binary::member_nodes).unwrap_or_default().into_iter().chain(extra) {
        builder.push(token::WJB_KEY, &mut string(name));
        builder.push(token::WJB_VALUE, &mut node.0);
    }
    builder.finish(token::WJB_END_OBJECT)
}

/// Builds an array of strings.
pub fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> Jsonb {
    let mut builder = Builder::new();
    builder.push(token::WJB_BEGIN_ARRAY, null_mut());
    for text in texts {
        builder.push(token::WJB_ELEM, &mut string(text));
    }
    builder.finish(token::WJB_END_ARRAY)
}

struct Builder(*mut pg_sys::JsonbParseState);

impl Builder {
    fn new() -> Self {
        Builder(null_mut())
    }

    fn push(&mut self, kind: token::Type, value: *mut JsonbValue) -> *mut JsonbValue {
        // SAFETY: the two builders above push tokens in the order that an object or an array takes, and
        // the values outlive the builder: JsonbValueToJsonb copies them.
        unsafe { pg_sys::pushJsonbValue(&mut self.0, kind, value) }
    }

    fn finish(mut self, end: token::Type) -> Jsonb {
        let whole = self.push(end, null_mut());
        // SAFETY: the outermost end token returns the whole value.
        Jsonb(unsafe { pg_sys::JsonbValueToJsonb(whole) })
    }
}

fn string(text: &str) -> JsonbValue {
    // SAFETY: an all-zero JsonbValue is a valid null; the string is set before anything reads it.
    let mut value: JsonbValue = unsafe { std::mem::zeroed() };
    value.type_ = jbvString;
    value.val.string = JsonbString { val: text.as_ptr().cast_mut().cast(), len: text.len() as i32 };
    value
}

/// # Safety
/// The value must be a string.
unsafe fn text<'a>(value: &JsonbValue) -> &'a str {
    // SAFETY: the union's member is the string, whose bytes lie inside the jsonb.
    let bytes = unsafe {
        let string = value.val.string;
        std::slice::from_raw_parts(string.val.cast::<u8>(), string.len as usize)
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "journey_stitch needs a database whose encoding is UTF8"
            );
        }
    }
}

/// The digits of a numeric, none lost.
fn numeric_text(numeric: pg_sys::Numeric) -> String {
    // SAFETY: numeric_out takes a numeric and returns a C string.
    let digits = unsafe {
        pgrx::direct_function_call::<&CStr>(pg_sys::numeric_out, &[Some(pg_sys::Datum::from(numeric))])
    };
    digits.map(|digits| digits.to_string_lossy().into_owned()).unwrap_or_default()
}
