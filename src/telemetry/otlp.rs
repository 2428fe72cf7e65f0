//! Exports traces to a collector: the spans of requests, work logs and runs, with their requests to Kimai and the
//! triplestore, as OTLP over HTTP (protobuf), in batches.
//!
//! `OTEL_EXPORTER_OTLP_ENDPOINT` enables it. The OpenTelemetry SDK itself reads `OTEL_EXPORTER_OTLP_HEADERS`,
//! `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and `OTEL_BSP_*`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{info, warn};

use crate::http_client;
use crate::settings::TraceSettings;

/// The time limit of a batch; the SDK itself gives up after `OTEL_EXPORTER_OTLP_TIMEOUT` (10 s).
const EXPORT_LIMIT: Duration = Duration::from_secs(10);

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent to OTEL_EXPORTER_OTLP_ENDPOINT: {0}")]
pub struct OtlpFault(String);

/// The provider that collects and sends spans according to the settings. Requests run on the calling runtime.
pub(super) fn provider(settings: &TraceSettings) -> Result<SdkTracerProvider, OtlpFault> {
    let http = http_client::client_builder(EXPORT_LIMIT)
        .build()
        .map_err(|fault| OtlpFault(http_client::explain(fault)))?;
    let client = Client { http, runtime: Handle::current(), failing: AtomicBool::new(false) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", settings.endpoint.as_str().trim_end_matches('/')))
        .build()
        .map_err(|fault| OtlpFault(fault.to_string()))?;
    let resource = Resource::builder().with_service_name(settings.service.clone());
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build())
}

/// Our own HTTP client for the exporter, whose thread has no runtime.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
    failing: AtomicBool,
}

impl Client {
    /// Logs when sending begins to fail, and when it works again.
    fn note(&self, outcome: Result<u16, String>) {
        let why = match outcome {
            Ok(200..300) => None,
            Ok(status) => Some(format!("the collector answered {status}")),
            Err(why) => Some(why),
        };
        let failed_before = self.failing.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !failed_before => {
                warn!(
                    "Traces cannot be sent to OTEL_EXPORTER_OTLP_ENDPOINT: {why}. They are dropped until it works."
                );
            }
            None if failed_before => info!("Traces are being sent again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move {
            let answer = http.execute(request).await.map_err(http_client::explain)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok::<_, String>((status, headers, answer.bytes().await.map_err(http_client::explain)?))
        });
        let answer = sent.await?;
        self.note(answer.as_ref().map(|(status, ..)| status.as_u16()).map_err(Clone::clone));
        let (status, headers, body) = answer?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
