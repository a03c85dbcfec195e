"""The configuration as models: every option with its type, its default and its meaning.

All but what is marked as the `ControlPlane`'s mirrors the plan in `crates/core/src/plan`, field by field; a
contract test compares the two.
"""

from tidegate.config.model.access import Access, ClaimCondition, IdentityHeader, Requirement
from tidegate.config.model.admin import Admin, AdminTls
from tidegate.config.model.authenticator import ApiKey, Authenticator, Basic
from tidegate.config.model.cache import (
    Cache,
    CacheCondition,
    CacheDisk,
    CacheKey,
    CacheKeyQuery,
    CacheStale,
    RouteCache,
)
from tidegate.config.model.certificate_auth import CertificateAuth, CertificateMatch
from tidegate.config.model.config import Config
from tidegate.config.model.cors import Cors
from tidegate.config.model.csrf import Csrf
from tidegate.config.model.explain import Explain
from tidegate.config.model.field_match import FieldMatch, HeaderMatch
from tidegate.config.model.forward_auth import ForwardAuth
from tidegate.config.model.geoip import GeoIp
from tidegate.config.model.health import (
    Health,
    HealthBody,
    HealthGrpc,
    HealthHttp,
    HealthTcp,
    LatencyOutlier,
    Outlier,
    SuccessRateOutlier,
)
from tidegate.config.model.jwt import Jwks, Jwt
from tidegate.config.model.limits import AdaptiveLimit, Queueing, RoutePriority, UpstreamLimits
from tidegate.config.model.listener import (
    Certificate,
    ClientAuth,
    Listener,
    ListenerLimits,
    ListenerTimeouts,
    ListenerTls,
    UnixSocket,
)
from tidegate.config.model.log import AccessLog, Log
from tidegate.config.model.narrow import SlowStart, Sticky, ZoneAware
from tidegate.config.model.networks import Networks
from tidegate.config.model.options import Options
from tidegate.config.model.place import Place
from tidegate.config.model.predict import Predict
from tidegate.config.model.rate import Bandwidth, KeyPart, RateCost, RateLimit, Window
from tidegate.config.model.retry import Backoff, Hedge, Retry, RetryBudget
from tidegate.config.model.route import (
    HeaderEdits,
    Mirror,
    PathMatch,
    Redirect,
    RegexRewrite,
    Respond,
    Rewrite,
    Route,
    RouteLimits,
    RouteMatch,
    Split,
)
from tidegate.config.model.security_headers import Hsts, SecurityHeaders
from tidegate.config.model.store import Sentinel, Store, Valkey
from tidegate.config.model.tunnel import Tunnel
from tidegate.config.model.upstream import (
    Balance,
    Endpoint,
    HashKey,
    Pool,
    Upstream,
    UpstreamTimeouts,
    UpstreamTls,
)
from tidegate.config.model.whereabouts import Asns, Countries

__all__ = [
    "Access",
    "AccessLog",
    "AdaptiveLimit",
    "Admin",
    "AdminTls",
    "ApiKey",
    "Asns",
    "Authenticator",
    "Backoff",
    "Balance",
    "Bandwidth",
    "Basic",
    "Cache",
    "CacheCondition",
    "CacheDisk",
    "CacheKey",
    "CacheKeyQuery",
    "CacheStale",
    "Certificate",
    "CertificateAuth",
    "CertificateMatch",
    "ClaimCondition",
    "ClientAuth",
    "Config",
    "Cors",
    "Countries",
    "Csrf",
    "Endpoint",
    "Explain",
    "FieldMatch",
    "ForwardAuth",
    "GeoIp",
    "HashKey",
    "HeaderEdits",
    "HeaderMatch",
    "Health",
    "HealthBody",
    "HealthGrpc",
    "HealthHttp",
    "HealthTcp",
    "Hedge",
    "Hsts",
    "IdentityHeader",
    "Jwks",
    "Jwt",
    "KeyPart",
    "LatencyOutlier",
    "Listener",
    "ListenerLimits",
    "ListenerTimeouts",
    "ListenerTls",
    "Log",
    "Mirror",
    "Networks",
    "Options",
    "Outlier",
    "PathMatch",
    "Place",
    "Pool",
    "Predict",
    "Queueing",
    "RateCost",
    "RateLimit",
    "Redirect",
    "RegexRewrite",
    "Requirement",
    "Respond",
    "Retry",
    "RetryBudget",
    "Rewrite",
    "Route",
    "RouteCache",
    "RouteLimits",
    "RouteMatch",
    "RoutePriority",
    "SecurityHeaders",
    "Sentinel",
    "SlowStart",
    "Split",
    "Sticky",
    "Store",
    "SuccessRateOutlier",
    "Tunnel",
    "UnixSocket",
    "Upstream",
    "UpstreamLimits",
    "UpstreamTimeouts",
    "UpstreamTls",
    "Valkey",
    "Window",
    "ZoneAware",
]
