//! Rules of single items: sizes of functions, documentation, state for everybody, lints set aside.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Fields, ImplItemFn, Item, ItemFn, ItemImpl, ItemStatic, Macro, TraitItem,
    TraitItemFn, Visibility,
};

use super::Violation;
use super::code::{Code, attributes};
use super::files::Source;

/// Lines of a function at most; blank ones and comments are not counted.
const MAX_FUNCTION: usize = 70;
/// Types whose value changes although it is shared: a `static` of one is a global variable.
const CHANGING: [&str; 9] = [
    "Mutex",
    "RwLock",
    "Cell",
    "RefCell",
    "UnsafeCell",
    "OnceLock",
    "OnceCell",
    "LazyLock",
    "ArcSwap",
];

pub(super) fn check(source: &Source, code: &Code) -> Vec<Violation> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut look = Look { source, code, lines, found: Vec::new() };
    look.visit_file(&code.file);
    look.found
}

struct Look<'a> {
    source: &'a Source,
    code: &'a Code,
    lines: Vec<&'a str>,
    found: Vec<Violation>,
}

impl Look<'_> {
    fn say(&mut self, line: usize, what: impl Into<String>) {
        self.found.push(Violation::at(&self.source.path, line, what));
    }

    fn is_test(&self, line: usize) -> bool {
        self.source.is_test() || self.code.is_test(line)
    }

    fn function(&mut self, name: &syn::Ident, block: &Block) {
        let (start, end) = (block.span().start().line, block.span().end().line);
        let counts = |line: &&&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        let inner = self.lines.get(start..end.saturating_sub(1)).unwrap_or_default();
        let lines = inner.iter().filter(counts).count();
        if lines > MAX_FUNCTION {
            self.say(
                start,
                format!("`{name}` has {lines} lines; split it (at most {MAX_FUNCTION})"),
            );
        }
    }

    /// A public thing called `name` needs documentation.
    fn documented(&mut self, name: &str, attributes: &[Attribute], line: usize) {
        let has = |attribute: &Attribute| {
            attribute.path().is_ident("doc") || is_about(attribute, "missing_docs")
        };
        if !self.is_test(line) && !attributes.iter().any(has) {
            self.say(line, format!("`{name}` is public; say what it is for (///)"));
        }
    }

    fn fields(&mut self, fields: &Fields, all_public: bool) {
        let Fields::Named(fields) = fields else { return };
        for field in &fields.named {
            if let Some(name) = &field.ident
                && (all_public || is_public(&field.vis))
            {
                self.documented(&name.to_string(), &field.attrs, name.span().start().line);
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "syn's list of kinds is open")]
    fn item(&mut self, item: &Item) {
        let (name, is_public) = match item {
            Item::Const(it) => (&it.ident, is_public(&it.vis)),
            Item::Enum(it) => (&it.ident, is_public(&it.vis)),
            Item::Fn(it) => (&it.sig.ident, is_public(&it.vis)),
            Item::Static(it) => (&it.ident, is_public(&it.vis)),
            Item::Struct(it) => (&it.ident, is_public(&it.vis)),
            Item::Trait(it) => (&it.ident, is_public(&it.vis)),
            Item::Type(it) => (&it.ident, is_public(&it.vis)),
            Item::Union(it) => (&it.ident, is_public(&it.vis)),
            // A module in a file of its own says there what it is for.
            Item::Mod(it) if it.content.is_some() => (&it.ident, is_public(&it.vis)),
            _ => return,
        };
        if !is_public {
            return;
        }
        self.documented(&name.to_string(), attributes(item), name.span().start().line);
        if attributes(item).iter().any(|attribute| is_about(attribute, "missing_docs")) {
            return;
        }
        match item {
            Item::Struct(it) => self.fields(&it.fields, false),
            Item::Enum(it) => {
                for variant in &it.variants {
                    let name = variant.ident.to_string();
                    let line = variant.ident.span().start().line;
                    self.documented(&name, &variant.attrs, line);
                    self.fields(&variant.fields, true);
                }
            }
            Item::Trait(it) => {
                for item in &it.items {
                    if let TraitItem::Fn(function) = item {
                        let name = &function.sig.ident;
                        let line = name.span().start().line;
                        self.documented(&name.to_string(), &function.attrs, line);
                    }
                }
            }
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Look<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        self.item(item);
        visit::visit_item(self, item);
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.function(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.function(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.function(&function.sig.ident, block);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        if block.trait_.is_none() {
            for item in &block.items {
                if let syn::ImplItem::Fn(function) = item
                    && is_public(&function.vis)
                {
                    let name = &function.sig.ident;
                    let line = name.span().start().line;
                    self.documented(&name.to_string(), &function.attrs, line);
                }
            }
        }
        visit::visit_item_impl(self, block);
    }

    fn visit_item_static(&mut self, item: &'ast ItemStatic) {
        let line = item.ident.span().start().line;
        let names = type_names(&item.ty);
        let changes = names
            .iter()
            .any(|name| CHANGING.contains(&name.as_str()) || name.starts_with("Atomic"));
        let is_mut = matches!(item.mutability, syn::StaticMutability::Mut(_));
        if (is_mut || changes) && !self.is_test(line) {
            self.say(line, format!("`{}` is state for everybody; pass it", item.ident));
        }
        visit::visit_item_static(self, item);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let line = call.span().start().line;
        let is_local = call.path.segments.last().is_some_and(|last| last.ident == "thread_local");
        if is_local && !self.is_test(line) {
            self.say(line, "`thread_local!` is state for everybody; pass it");
        }
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let is_generated = self.source.path == "api/agent-api/src/lib.rs";
        let sets_aside = attribute.path().is_ident("allow")
            || (attribute.path().is_ident("cfg_attr") && is_about(attribute, "allow"));
        if sets_aside && !is_generated {
            let line = attribute.span().start().line;
            self.say(
                line,
                "use #[expect(lint, reason = \"…\")], which tells when it is not needed",
            );
        }
        visit::visit_attribute(self, attribute);
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether `word` stands in the parentheses of the attribute.
fn is_about(attribute: &Attribute, word: &str) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    list.tokens.clone().into_iter().any(|token| token.to_string() == word)
}

/// Every name in a type.
fn type_names(ty: &syn::Type) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_ident(&mut self, name: &'ast syn::Ident) {
            self.0.push(name.to_string());
        }
    }
    let mut names = Names(Vec::new());
    names.visit_type(ty);
    names.0
}
