"""The fields of KEDA's and kustomize's objects that deploy/ uses, after their reference pages, and nothing besides.

No package carries their schemas for offline use, so these models refuse a field that they do not know. KEDA passes
`behavior` on to a HorizontalPodAutoscaler, whose schema the tests check it against.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class Strict(BaseModel):
    """Neither unknown fields nor numbers written as text."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: Name
    labels: dict[str, str] = {}


class ScaleTarget(Strict):
    apiVersion: str = "apps/v1"
    kind: str = "Deployment"
    name: Name


class PostgresQuery(Strict):
    """KEDA reads a trigger's metadata as text, numbers too. The connection comes from the authentication."""

    query: str
    targetQueryValue: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
    activationTargetQueryValue: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")] = "0"


class AuthenticationRef(Strict):
    name: Name
    kind: Literal["TriggerAuthentication", "ClusterTriggerAuthentication"] = "TriggerAuthentication"


class Trigger(Strict):
    type: Literal["postgresql"]
    metricType: Literal["AverageValue", "Value"] = "AverageValue"
    metadata: PostgresQuery
    authenticationRef: AuthenticationRef


class AutoscalerConfig(Strict):
    name: str | None = None
    behavior: dict[str, Any] | None = None


class Advanced(Strict):
    restoreToOriginalReplicaCount: bool = False
    horizontalPodAutoscalerConfig: AutoscalerConfig | None = None


class ScaledObjectSpec(Strict):
    scaleTargetRef: ScaleTarget
    pollingInterval: Annotated[int, Field(ge=1)] = 30
    cooldownPeriod: Annotated[int, Field(ge=0)] = 300
    minReplicaCount: Annotated[int, Field(ge=0)] = 0
    maxReplicaCount: Annotated[int, Field(ge=1)] = 100
    advanced: Advanced | None = None
    triggers: Annotated[list[Trigger], Field(min_length=1)]


class ScaledObject(Strict):
    """https://keda.sh/docs/latest/reference/scaledobject-spec/ and https://keda.sh/docs/latest/scalers/postgresql/"""

    apiVersion: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: Metadata
    spec: ScaledObjectSpec


class SecretTarget(Strict):
    parameter: Literal["connection"]
    name: Name
    key: str


class TriggerAuthenticationSpec(Strict):
    secretTargetRef: list[SecretTarget]


class TriggerAuthentication(Strict):
    """https://keda.sh/docs/latest/concepts/authentication/"""

    apiVersion: Literal["keda.sh/v1alpha1"]
    kind: Literal["TriggerAuthentication"]
    metadata: Metadata
    spec: TriggerAuthenticationSpec


class Labels(Strict):
    pairs: dict[str, str]
    includeSelectors: bool = False


class Image(Strict):
    name: str
    newName: str | None = None
    newTag: str


class Kustomization(Strict):
    """https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/"""

    apiVersion: Literal["kustomize.config.k8s.io/v1beta1"]
    kind: Literal["Kustomization"]
    namespace: Name
    labels: list[Labels] = []
    resources: list[str]
    images: list[Image] = []
    components: list[str] = []


class Patch(Strict):
    path: str


class Component(Strict):
    """A kustomization that others include."""

    apiVersion: Literal["kustomize.config.k8s.io/v1alpha1"]
    kind: Literal["Component"]
    patches: list[Patch]


class CallRule(Strict):
    names: list[str]
    action: Literal["SCMP_ACT_ERRNO"]
    errnoRet: int


class SeccompProfile(Strict):
    """The part that Docker's format and that of the Kubernetes runtimes have in common."""

    defaultAction: Literal["SCMP_ACT_ALLOW"]
    syscalls: list[CallRule]
