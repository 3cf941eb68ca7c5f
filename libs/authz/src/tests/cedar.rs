//! The same rules as policies of Cedar, whose engine was proven to refuse by default and to let a
//! `forbid` win. Each role is a group of actions; what a person holds is sets of places, in which
//! whatever is asked about must lie.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};

use crate::{Effect, Grants, Permission, Place, Role};

struct Rules {
    schema: Schema,
    policies: PolicySet,
}

/// What the rules are, and the schema that they are held against.
fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let policies = Role::ALL.map(|role| {
            format!(
                "permit(principal, action in Action::\"{role}\", resource)
                 when {{ resource in principal.allow_{role} }};
                 forbid(principal, action in Action::\"{role}\", resource)
                 when {{ resource in principal.deny_{role} }};"
            )
        });
        let groups = Role::ALL.map(|role| format!("action \"{role}\";")).concat();
        let sets = Role::ALL
            .map(|role| format!("allow_{role}: Set<Place>, deny_{role}: Set<Place>, "))
            .concat();
        let actions = Permission::ALL.map(|permission| {
            let roles = Role::ALL.into_iter().filter(|role| role.permits(permission));
            let roles: Vec<String> = roles.map(|role| format!("\"{role}\"")).collect();
            let roles = roles.join(", ");
            format!(
                "action \"{permission}\" in [{roles}]
                 appliesTo {{ principal: [Person], resource: [Place] }};"
            )
        });
        let actions = groups + &actions.concat();
        let schema = format!("entity Place in [Place]; entity Person {{ {sets} }}; {actions}");
        let (schema, _) = Schema::from_cedarschema_str(&schema).unwrap();
        Rules { schema, policies: policies.concat().parse().unwrap() }
    })
}

fn uid(kind: &str, id: &str) -> EntityUid {
    let kind: EntityTypeName = kind.parse().unwrap();
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}

fn place_uid(place: &Place) -> EntityUid {
    uid("Place", &place.to_string())
}

/// Somebody, as Cedar knows them.
pub(super) struct Person(Entities);

impl Person {
    pub(super) fn new(role: Role, grants: &Grants) -> Self {
        let mut sets = HashMap::new();
        for of in Role::ALL {
            for effect in [Effect::Allow, Effect::Deny] {
                let said = grants.iter().filter(|it| (it.role, it.effect) == (of, effect));
                let whole = (role == of && effect == Effect::Allow).then_some(Place::ROOT);
                let places = said.map(|it| it.place).chain(whole);
                let places = places.map(|it| RestrictedExpression::new_entity_uid(place_uid(&it)));
                let set = RestrictedExpression::new_set(places);
                sets.insert(format!("{}_{of}", effect.as_str()), set);
            }
        }
        let person = Entity::new(uid("Person", "it"), sets, HashSet::new()).unwrap();
        let places = super::tree().iter().map(|place| {
            let parents = place.parent().iter().map(place_uid).collect();
            Entity::new_no_attrs(place_uid(place), parents)
        });
        let all = places.chain([person]);
        Self(Entities::from_entities(all, Some(&rules().schema)).unwrap())
    }

    pub(super) fn permits(&self, permission: Permission, place: &Place) -> bool {
        let action = uid("Action", permission.as_str());
        let (who, schema) = (uid("Person", "it"), Some(&rules().schema));
        let asked = Request::new(who, action, place_uid(place), Context::empty(), schema).unwrap();
        let answer = Authorizer::new().is_authorized(&asked, &rules().policies, &self.0);
        assert_eq!(answer.diagnostics().errors().count(), 0);
        answer.decision() == Decision::Allow
    }
}

#[test]
fn the_policies_fit_their_schema() {
    let Rules { schema, policies } = rules();
    let found = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    assert!(found.validation_passed(), "{found}");
}
