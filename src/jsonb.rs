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
    JB_CMASK, JB_FARRAY, JB_FOBJECT, JB_OFFSET_STRIDE, JENTRY_HAS_OFF, JENTRY_ISBOOL_FALSE,
    JENTRY_ISBOOL_TRUE, JENTRY_ISCONTAINER, JENTRY_ISNUMERIC, JENTRY_ISSTRING, JENTRY_OFFLENMASK,
    JENTRY_TYPEMASK, JsonbIteratorToken as token, JsonbValue,
    JsonbValue__bindgen_ty_1__bindgen_ty_1 as JsonbString,
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
            self.container().to_node()
        }
    }

    /// What it consists of behind its header.
    pub fn container(self) -> Binary {
        // SAFETY: as in root().
        unsafe { Binary(addr_of_mut!((*self.0).root), pgrx::varsize_any_exhdr(self.0.cast()) as i32) }
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
        unsafe { (*self.0).header & JB_FOBJECT != 0 }
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

    /// It and all that it holds.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: a container is as long as is said with it.
        unsafe { std::slice::from_raw_parts(self.0.cast(), self.size()) }
    }

    /// How deep it nests, itself included; counting stops once it is past `limit`.
    pub fn depth(self, limit: usize) -> usize {
        let mut deepest = 0;
        if limit > 0 {
            for container in self.values().filter_map(|value| value.container()) {
                deepest = deepest.max(container.depth(limit - 1));
                if deepest == limit {
                    break;
                }
            }
        }
        deepest + 1
    }

    /// The elements of an array.
    pub fn element_nodes(self) -> Vec<Node> {
        self.values().collect()
    }

    /// The names and values of an object.
    pub fn member_nodes<'a>(self) -> Vec<(&'a str, Node)> {
        let mut values = self.values();
        // SAFETY: a name is a string.
        let names = values.by_ref().take(self.len()).map(|name| (unsafe { text(&name.0) }, name));
        let mut members: Vec<_> = names.collect();
        for (member, value) in members.iter_mut().zip(values) {
            member.1 = value;
        }
        members
    }

    /// The value of an object's member.
    pub fn member(self, name: &str) -> Option<Node> {
        let mut names = self.values().take(self.len());
        // SAFETY: a name is a string.
        let place = names.position(|member| unsafe { text(&member.0) } == name)?;
        self.values().nth(self.len() + place)
    }

    fn len(self) -> usize {
        // SAFETY: as in is_object.
        unsafe { ((*self.0).header & JB_CMASK) as usize }
    }

    fn values(self) -> Values {
        let count = if self.is_object() { self.len() * 2 } else { self.len() };
        // SAFETY: behind the header stand as many entries as there are values, and then these.
        unsafe {
            let entries = (*self.0).children.as_ptr();
            Values { entries, left: count, data: entries.add(count).cast_mut().cast(), start: 0 }
        }
    }
}

/// The elements of an array, or the names of an object and then their values.
struct Values {
    entries: *const pg_sys::JEntry,
    left: usize,
    data: *mut u8,
    /// Where in the data the next one begins.
    start: usize,
}

impl Iterator for Values {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        self.left = self.left.checked_sub(1)?;
        // SAFETY: an all-zero JsonbValue is a valid null. An entry tells the type of its value, and where that ends;
        // numbers and containers begin at the next multiple of four.
        unsafe {
            let entry = *self.entries;
            self.entries = self.entries.add(1);
            let bound = (entry & JENTRY_OFFLENMASK) as usize;
            let end = if entry & JENTRY_HAS_OFF != 0 { bound } else { self.start + bound };
            let start = std::mem::replace(&mut self.start, end);
            let aligned = start.next_multiple_of(size_of::<u32>());
            let mut value: JsonbValue = std::mem::zeroed();
            match entry & JENTRY_TYPEMASK {
                JENTRY_ISSTRING => {
                    value.type_ = jbvString;
                    value.val.string =
                        JsonbString { len: (end - start) as i32, val: self.data.add(start).cast() };
                }
                JENTRY_ISNUMERIC => {
                    value.type_ = jbvNumeric;
                    value.val.numeric = self.data.add(aligned).cast();
                }
                JENTRY_ISCONTAINER => {
                    value.type_ = jbvBinary;
                    let data = self.data.add(aligned).cast();
                    value.val.binary = JsonbBinary { len: (end - aligned) as i32, data };
                }
                boolean @ (JENTRY_ISBOOL_FALSE | JENTRY_ISBOOL_TRUE) => {
                    value.type_ = jbvBool;
                    value.val.boolean = boolean == JENTRY_ISBOOL_TRUE;
                }
                _ => value.type_ = jbvNull,
            }
            Some(Node(value))
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

    fn names(self) -> Vec<&'a str> {
        // SAFETY: a name is a string.
        self.values().take(self.len()).map(|name| unsafe { text(&name.0) }).collect()
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

/// Builds an object of numbers.
pub fn counts<'a>(counts: impl IntoIterator<Item = (&'a str, usize)>) -> Jsonb {
    let mut builder = Builder::new();
    builder.push(token::WJB_BEGIN_OBJECT, null_mut());
    for (name, count) in counts {
        // SAFETY: an all-zero JsonbValue is a valid null; int64_to_numeric answers a numeric.
        let mut value: JsonbValue = unsafe { std::mem::zeroed() };
        value.type_ = jbvNumeric;
        value.val.numeric = unsafe { pg_sys::int64_to_numeric(count as i64) };
        builder.push(token::WJB_KEY, &mut string(name));
        builder.push(token::WJB_VALUE, &mut value);
    }
    builder.finish(token::WJB_END_OBJECT)
}

/// The size of an array of strings, as a container.
pub fn strings_size(lengths: impl ExactSizeIterator<Item = usize>) -> usize {
    (lengths.len() + 1) * size_of::<pg_sys::JEntry>() + lengths.sum::<usize>()
}

/// Appends an array of strings, up to the strings themselves.
pub fn strings_head(lengths: impl ExactSizeIterator<Item = usize>, out: &mut Vec<u8>) {
    out.extend_from_slice(&(JB_FARRAY | lengths.len() as u32).to_ne_bytes());
    let mut end = 0;
    for (n, length) in lengths.enumerate() {
        end += length;
        if end > JENTRY_OFFLENMASK as usize {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                "the identifiers of an event are too large for an array of jsonb"
            );
        }
        let is_offset = (n as u32).is_multiple_of(JB_OFFSET_STRIDE);
        let entry = if is_offset { JENTRY_HAS_OFF | end as u32 } else { length as u32 };
        out.extend_from_slice(&(JENTRY_ISSTRING | entry).to_ne_bytes());
    }
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
