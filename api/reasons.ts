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
  CredentialsRevoked: "CredentialsRevoked",
  WrongCluster: "WrongCluster",
  PermissionDenied: "PermissionDenied",
  CredentialsUnverified: "CredentialsUnverified",
  // Remote API
  Synced: "Synced",
  Connecting: "Connecting",
  ServerUnreachable: "ServerUnreachable",
  ServerCertificateInvalid: "ServerCertificateInvalid",
  ServerError: "ServerError",
  WatchStale: "WatchStale",
  SomeNamespacesDenied: "SomeNamespacesDenied",
  // Trust
  TrustBundleValid: "TrustBundleValid",
  TrustBundleInvalid: "TrustBundleInvalid",
  TrustBundleExpired: "TrustBundleExpired",
  OwnCertificateMissing: "OwnCertificateMissing",
  IdentityMismatch: "IdentityMismatch",
  GatewayNotTrusted: "GatewayNotTrusted",
  GatewayCertificateExpired: "GatewayCertificateExpired",
  GatewayCertificateNotYetValid: "GatewayCertificateNotYetValid",
  PeerRejected: "PeerRejected",
  // Gateway
  GatewayAnswering: "GatewayAnswering",
  SomeAddressesFailing: "SomeAddressesFailing",
  GatewayMissing: "GatewayMissing",
  GatewayAddressPending: "GatewayAddressPending",
  GatewayUnreachable: "GatewayUnreachable",
  GatewayDraining: "GatewayDraining",
  ProbePending: "ProbePending",
  // Link
  LinkReady: "LinkReady",
  LinkSpecInvalid: "LinkSpecInvalid",
  DuplicateClusterName: "DuplicateClusterName",
  OwnClusterName: "OwnClusterName",
  NotReady: "NotReady",
  NotLeader: "NotLeader",
  Flapping: "Flapping",
  LinkDeleting: "LinkDeleting",
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
  SourceFlapping: "SourceFlapping",
  NameCollision: "NameCollision",
  NameTaken: "NameTaken",
  NameInvalid: "NameInvalid",
  NamespaceMissing: "NamespaceMissing",
  NamespaceTerminating: "NamespaceTerminating",
  NamespaceForbidden: "NamespaceForbidden",
  NamespaceNotListed: "NamespaceNotListed",
  SourceNamespaceDenied: "SourceNamespaceDenied",
  PortsExhausted: "PortsExhausted",
  NoTcpPorts: "NoTcpPorts",
  PortsOmitted: "PortsOmitted",
  MetadataOmitted: "MetadataOmitted",
  ExportPortsUnknown: "ExportPortsUnknown",
  ExportInvalid: "ExportInvalid",
  ExternalNameUnsupported: "ExternalNameUnsupported",
  HeadlessUnsupported: "HeadlessUnsupported",
  MirrorNotExportable: "MirrorNotExportable",
  OwnershipLost: "OwnershipLost",
  DeletionBlocked: "DeletionBlocked",
  WriteForbidden: "WriteForbidden",
  WriteRejected: "WriteRejected",
  // Failover
  FailoverStandby: "FailoverStandby",
  FailoverActivating: "FailoverActivating",
  FailoverActivated: "FailoverActivated",
  FailoverReturning: "FailoverReturning",
  FailoverReturned: "FailoverReturned",
  FailoverTargetChanged: "FailoverTargetChanged",
  FailoverUnavailable: "FailoverUnavailable",
  FailoverInvalid: "FailoverInvalid",
  FailoverUnsupported: "FailoverUnsupported",
  FailoverTargetUnknown: "FailoverTargetUnknown",
  FailoverTargetMissing: "FailoverTargetMissing",
  FailoverPortMismatch: "FailoverPortMismatch",
  FailoverLimited: "FailoverLimited",
  FailoverPending: "FailoverPending",
  // Own cluster
  AuthorityCreated: "AuthorityCreated",
  AuthorityRotating: "AuthorityRotating",
  AuthorityRotationWaiting: "AuthorityRotationWaiting",
  AuthorityRotated: "AuthorityRotated",
  LeafIssued: "LeafIssued",
  AuthorityInvalid: "AuthorityInvalid",
  LeafInvalid: "LeafInvalid",
  LeafPending: "LeafPending",
  LeafRenewalLate: "LeafRenewalLate",
  TokenRenewed: "TokenRenewed",
  TokenRenewalFailed: "TokenRenewalFailed",
  TrustBundleUpdated: "TrustBundleUpdated",
  TrustBundleNotFollowed: "TrustBundleNotFollowed",
} as const;

export type Reason = (typeof REASONS)[keyof typeof REASONS];

/** Whether `text`, of an annotation perhaps, is a reason of ours. */
export function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}

/** Something that a person ought to know or to mend. */
export interface Finding {
  readonly reason: Reason;
  readonly message: string;
}
