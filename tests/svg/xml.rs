//! A small XML parser that knows what XML 1.0 forbids, to read pictures back with.

/// An element in document order, with the text directly inside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub depth: usize,
}

impl Element {
    pub fn get(&self, name: &str) -> &str {
        self.attributes.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    pub fn number(&self, name: &str) -> f64 {
        let value = self.get(name).parse().unwrap_or_else(|_| panic!("{name} of {self:?}"));
        assert!(f64::is_finite(value), "{self:?}");
        value
    }

    pub fn class(&self, class: &str) -> bool {
        self.get("class") == class
    }
}

/// Undoes references. Only what XML 1.0 has without a DTD, and only characters that it allows.
fn unescaped(raw: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '"']) {
        text.push_str(&rest[..at]);
        let reference = rest[at..].strip_prefix('&').and_then(|reference| reference.split_once(';'));
        let (name, after) = reference.ok_or_else(|| format!("bare {:?}", &rest[at..]))?;
        let digits = name.strip_prefix('#').ok_or_else(|| format!("entity {name}"))?;
        let c = digits.parse().ok().and_then(char::from_u32).ok_or_else(|| format!("reference {name}"))?;
        text.push(c);
        rest = after;
    }
    text.push_str(rest);
    // Char of XML 1.0; Rust's characters are no surrogates.
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    if text.chars().all(allowed) { Ok(text) } else { Err(format!("character in {text:?}")) }
}

/// One tag's name and attributes.
fn tag(raw: &str) -> Result<Element, String> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let (name, mut rest) = raw.split_once(char::is_whitespace).unwrap_or((raw, ""));
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    rest = rest.trim();
    while !rest.is_empty() {
        let (attribute, quoted) = rest.split_once("=\"").ok_or_else(|| format!("attribute in {raw:?}"))?;
        let (value, after) = quoted.split_once('"').ok_or_else(|| format!("quote in {raw:?}"))?;
        if !is_name(attribute)
            || !element.get(attribute).is_empty()
            || !(after.is_empty() || after.starts_with(char::is_whitespace))
        {
            return Err(format!("attribute {attribute:?} in {raw:?}"));
        }
        element.attributes.push((attribute.to_owned(), unescaped(value)?));
        rest = after.trim_start();
    }
    if is_name(name) { Ok(element) } else { Err(format!("name in {raw:?}")) }
}

/// The elements of a document of one root, or what is wrong with it. Comments, declarations and sections of
/// CDATA are errors: no picture has any.
pub fn parse(document: &str) -> Result<Vec<Element>, String> {
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = document;
    while let Some((text, after)) = rest.split_once('<') {
        let (markup, after) = after.split_once('>').ok_or("unfinished tag")?;
        match open.last() {
            Some(&parent) => elements[parent].text.push_str(&unescaped(text)?),
            None if elements.is_empty() && text.is_empty() => {}
            None => return Err(format!("outside the root: {text:?}")),
        }
        if let Some(name) = markup.strip_prefix('/') {
            let opened = open.pop().ok_or("closes nothing")?;
            if elements[opened].name != name {
                return Err(format!("{name} closes {:?}", elements[opened]));
            }
        } else {
            let empty = markup.strip_suffix('/');
            let element = Element { depth: open.len(), ..tag(empty.unwrap_or(markup))? };
            if empty.is_none() {
                open.push(elements.len());
            }
            elements.push(element);
        }
        rest = after;
    }
    if open.is_empty() && rest.trim().is_empty() { Ok(elements) } else { Err("unfinished".to_owned()) }
}

#[test]
fn the_parser_of_these_tests_finds_what_is_wrong() {
    assert_eq!(parse("<a b=\"1&#38;2\">x<c/>y</a>").unwrap()[0].text, "xy");
    for wrong in [
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a b=1/>",
        "<a b='1'/>",
        "<a b=\"1\"c=\"2\"/>",
        "<a b=\"&\"/>",
        "x<a/>",
        "<a>&lt</a>",
        "<a>&#0;</a>",
        "<a>&#65535;</a>",
        "<a>&nbsp;</a>",
        "<a>\u{1}</a>",
        "<a b=\"1\" b=\"2\"/>",
        "<a><!-- --></a>",
        "<a",
        "<a b=\"<\"/>",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
