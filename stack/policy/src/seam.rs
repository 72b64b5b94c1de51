//! Where a guard's deliberate defects are let in. Without the feature `mutants` every question is a constant `false`.

#[cfg(feature = "mutants")]
use crate::mutation::Mutation;

/// The defect of this guard, if it has one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seam {
    #[cfg(feature = "mutants")]
    mutation: Option<Mutation>,
}

macro_rules! questions {
    ($($question:ident: $mutation:ident,)*) => {
        impl Seam {
            $(
                #[cfg(feature = "mutants")]
                pub(crate) fn $question(self) -> bool {
                    self.mutation == Some(Mutation::$mutation)
                }

                #[cfg(not(feature = "mutants"))]
                pub(crate) const fn $question(self) -> bool {
                    false
                }
            )*
        }
    };
}

questions! {
    admits_everything: AdmitEverything,
    ignores_deny_if: IgnoreDenyIf,
    ignores_require: IgnoreRequire,
    lets_hidden_be_called: HiddenToolsCallable,
    is_off_by_one: LimitOffByOne,
    never_charges: LimitNeverCharges,
    counts_by_calendar: CalendarWindow,
    refunds_failed: RefundFailed,
    scopes_by_session_only: SessionScopeOnly,
    compares_as_text: LexicographicCompare,
    ignores_the_kill_switch: IgnoreKillSwitch,
    ignores_sequences: IgnoreSequences,
    ignores_breakers: IgnoreBreakers,
    refunds_unknown: RefundUnknown,
    scopes_by_grant_at_most: GrantScopeOnly,
    takes_approval_for_all: ApprovalIsEnough,
    keeps_one_register: GrantsShareOrders,
    compares_as_floats: FloatCompare,
}

#[cfg(feature = "mutants")]
impl Seam {
    pub(crate) const fn with(mutation: Mutation) -> Self {
        Self { mutation: Some(mutation) }
    }
}
