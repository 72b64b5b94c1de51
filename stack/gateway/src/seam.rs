//! Where a gateway's deliberate defects are let in. Without the feature `mutants` every question is a constant `false`.

#[cfg(feature = "mutants")]
use crate::mutants::GatewayMutation;

/// The defect of this gateway, if it has one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seam {
    #[cfg(feature = "mutants")]
    mutation: Option<GatewayMutation>,
}

macro_rules! questions {
    ($($question:ident: $mutation:ident,)*) => {
        impl Seam {
            $(
                #[cfg(feature = "mutants")]
                pub(crate) fn $question(self) -> bool {
                    self.mutation == Some(GatewayMutation::$mutation)
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
    passes_results_unread: ResultsUnread,
    allows_without_record: AuditFailureAllows,
    leaves_denials_out: DenialsUnrecorded,
    binds_no_arguments: ApprovalUnbound,
    approves_for_ever: ApprovalReused,
    ignores_pins: PinsIgnored,
    forgets_on_reload: ReloadForgets,
    allows_on_broken_reload: BrokenReloadAllows,
    writes_no_ledger: LedgerUnwritten,
    allows_unstored: StoreFailureAllows,
}

#[cfg(feature = "mutants")]
impl Seam {
    pub(crate) const fn with(mutation: Option<GatewayMutation>) -> Self {
        Self { mutation }
    }
}
