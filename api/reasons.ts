/**
 * Reasons, as they appear in conditions, Events, annotations, metrics and docs.
 * One list, so that the four never drift apart.
 */
export const REASONS = {
  // Credentials
  KubeconfigValid: "KubeconfigValid",
  SecretNotFound: "SecretNotFound",
  SecretKeyMissing: "SecretKeyMissing",
  KubeconfigInvalid: "KubeconfigInvalid",
  KubeconfigRefused: "KubeconfigRefused",
  CredentialsRejected: "CredentialsRejected",
  PermissionDenied: "PermissionDenied",
  CredentialsUnverified: "CredentialsUnverified",
  // Remote API
  Synced: "Synced",
  Connecting: "Connecting",
  ServerUnreachable: "ServerUnreachable",
  ServerCertificateInvalid: "ServerCertificateInvalid",
  ServerError: "ServerError",
  WatchStale: "WatchStale",
  // Trust
  TrustBundleValid: "TrustBundleValid",
  TrustBundleInvalid: "TrustBundleInvalid",
  TrustBundleExpired: "TrustBundleExpired",
  OwnCertificateMissing: "OwnCertificateMissing",
  IdentityMismatch: "IdentityMismatch",
  GatewayNotTrusted: "GatewayNotTrusted",
  PeerRejected: "PeerRejected",
  // Gateway
  GatewayAnswering: "GatewayAnswering",
  SomeAddressesFailing: "SomeAddressesFailing",
  GatewayMissing: "GatewayMissing",
  GatewayAddressPending: "GatewayAddressPending",
  GatewayUnreachable: "GatewayUnreachable",
  ProbePending: "ProbePending",
  // Link
  LinkReady: "LinkReady",
  LinkSpecInvalid: "LinkSpecInvalid",
  DuplicateClusterName: "DuplicateClusterName",
  NotReady: "NotReady",
  ApiLostTolerated: "ApiLostTolerated",
  ApiLostTooLong: "ApiLostTooLong",
  // Mirrors
  MirrorCreated: "MirrorCreated",
  MirrorUpdated: "MirrorUpdated",
  MirrorRemoved: "MirrorRemoved",
  MirrorOpen: "MirrorOpen",
  LinkNotReady: "LinkNotReady",
  NoReadyEndpoints: "NoReadyEndpoints",
  NoReadyEgressGateway: "NoReadyEgressGateway",
  NameCollision: "NameCollision",
  NameTaken: "NameTaken",
  NameInvalid: "NameInvalid",
  NamespaceMissing: "NamespaceMissing",
  NamespaceTerminating: "NamespaceTerminating",
  PortsExhausted: "PortsExhausted",
  NoTcpPorts: "NoTcpPorts",
  PortsOmitted: "PortsOmitted",
  ExportPortsUnknown: "ExportPortsUnknown",
  ExportInvalid: "ExportInvalid",
  ExternalNameUnsupported: "ExternalNameUnsupported",
  HeadlessUnsupported: "HeadlessUnsupported",
  MirrorNotExportable: "MirrorNotExportable",
  OwnershipLost: "OwnershipLost",
  WriteForbidden: "WriteForbidden",
  WriteRejected: "WriteRejected",
  // Own cluster
  AuthorityCreated: "AuthorityCreated",
  LeafIssued: "LeafIssued",
  AuthorityInvalid: "AuthorityInvalid",
  TokenRenewed: "TokenRenewed",
  TokenRenewalFailed: "TokenRenewalFailed",
  TrustBundleUpdated: "TrustBundleUpdated",
} as const;

export type Reason = (typeof REASONS)[keyof typeof REASONS];
