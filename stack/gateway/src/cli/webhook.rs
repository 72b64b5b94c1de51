//! The approval webhook of the command.

use std::sync::Arc;
use std::time::Duration;

use mcp_gateway::webhook::{Webhook, WebhookCounts, WebhookLimits, WebhookSecret};
use mcp_gateway::{Notifier, system_clock};
use tokio::task::JoinHandle;

use super::args::GatewayArgs;
use super::failure::Failure;

/// Where the secret may stand, beside a file.
const SECRET: &str = "MCP_GATEWAY_APPROVAL_WEBHOOK_SECRET";

/// A webhook whose notices are delivered as long as it is held.
pub(super) struct Telling {
    webhook: Webhook,
    task: JoinHandle<()>,
}

impl Telling {
    /// The webhook that the settings name, if they do. Needs a runtime.
    pub(super) fn start(args: &GatewayArgs) -> Result<Option<Self>, Failure> {
        let Some(url) = &args.approval_webhook else { return Ok(None) };
        let text = match &args.approval_webhook_secret_file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| Failure::WebhookSecretUnread { path: path.clone(), source })?,
            None => std::env::var(SECRET).map_err(|_| Failure::NoWebhookSecret)?,
        };
        let (secret, limits) = (WebhookSecret::new(&text)?, WebhookLimits::default());
        let (webhook, task) = Webhook::new(url, secret, args.approval_webhook_plain_text, limits, system_clock())?;
        Ok(Some(Self { webhook, task: tokio::spawn(task) }))
    }

    pub(super) fn notifier(&self) -> Arc<dyn Notifier> {
        Arc::new(self.webhook.clone())
    }

    pub(super) fn counts(&self) -> Arc<WebhookCounts> {
        self.webhook.counts()
    }

    /// Gives notices that wait a last chance; what is not told by then is told after the next start.
    pub(super) async fn end(&self, within: Duration) {
        if tokio::time::timeout(within, self.webhook.flushed()).await.is_err() {
            tracing::warn!(
                "notices to the approval webhook are left, and told after the next start if they still wait"
            );
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.task.abort();
    }
}
