//! What a link asks of the services behind the gateway, as the device it belongs to.

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};
use openframe_auth_api::internal::{CHECK_DEVICE, DeviceCheck};
use openframe_devices_api::internal::PROTOBUF;
use openframe_fault::{Fault, body};
use openframe_mesh::Peer;
use openframe_pki::DeviceIdentity;
use openframe_tokens::{Caller, Subject};

use crate::identity::Identity;

/// The services behind.
pub(super) struct Services {
    pub(super) identity: Identity,
    pub(super) auth: Peer,
    pub(super) devices: Peer,
    pub(super) monitoring: Peer,
}

impl Services {
    /// Fails when the device was revoked.
    pub(super) async fn check_device(&self, device: &DeviceIdentity) -> Result<(), Fault> {
        let check = DeviceCheck {
            tenant_id: device.tenant,
            device_id: device.device,
            serial: device.serial.clone(),
        };
        let subject = Subject::Service { name: "gateway".to_owned() };
        let caller = Caller { tenant: device.tenant, subject };
        let json = serde_json::to_vec(&check).unwrap_or_default().into();
        let kind = "application/json";
        self.post(&self.auth, ("auth", CHECK_DEVICE), caller, (kind, json)).await
    }

    /// Sends a body to the devices service.
    pub(super) async fn tell_devices(
        &self,
        device: &DeviceIdentity,
        path: &'static str,
        content: Bytes,
    ) -> Result<(), Fault> {
        let caller = device_caller(device);
        self.post(&self.devices, ("devices", path), caller, (PROTOBUF, content)).await
    }

    /// Sends telemetry to the monitoring service; returns once it is durable.
    pub(super) async fn tell_monitoring(
        &self,
        device: &DeviceIdentity,
        content: Bytes,
    ) -> Result<(), Fault> {
        let path = openframe_monitoring_api::TELEMETRY;
        let caller = device_caller(device);
        self.post(&self.monitoring, ("monitoring", path), caller, (PROTOBUF, content)).await
    }

    async fn post(
        &self,
        peer: &Peer,
        (audience, path): (&'static str, &'static str),
        caller: Caller,
        (kind, content): (&'static str, Bytes),
    ) -> Result<(), Fault> {
        let token = self.identity.token(&caller, audience).await;
        let mut request = Request::new(Body::from(content));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(path);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        openframe_mesh::identity::insert(request.headers_mut(), &token);
        let answer = peer.call(request).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = body::read(answer.into_body(), 64 << 10).await.unwrap_or_default();
        Err(Fault::from_answer(status, &text))
    }
}

fn device_caller(device: &DeviceIdentity) -> Caller {
    let subject = Subject::Device { device: device.device };
    Caller { tenant: device.tenant, subject }
}
