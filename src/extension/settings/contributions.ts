/**
 * Id of the MCP server definition provider. A test compares all ids of this file with
 * `package.json`.
 */

export const PROVIDER_ID = 'agentcore.runtimes';

/** Ids of the views in the container `agentcore`. */
export const Views = {
  runtimes: 'agentcore.runtimes',
  credentials: 'agentcore.credentials',
  sessions: 'agentcore.sessions',
  replayLog: 'agentcore.replayLog',
} as const;

/** Ids of the commands in `package.json`. */
export const Commands = {
  setUpRuntime: 'agentcore.setUpRuntime',
  tryLocally: 'agentcore.tryLocally',
  addRuntime: 'agentcore.addRuntime',
  pickRuntime: 'agentcore.pickRuntime',
  editRuntime: 'agentcore.editRuntime',
  removeRuntime: 'agentcore.removeRuntime',
  startServer: 'agentcore.startServer',
  stopServer: 'agentcore.stopServer',
  restartServer: 'agentcore.restartServer',
  showServerOutput: 'agentcore.showServerOutput',
  switchProfile: 'agentcore.switchProfile',
  switchRole: 'agentcore.switchRole',
  changeSessionMode: 'agentcore.changeSessionMode',
  signIn: 'agentcore.signIn',
  signOut: 'agentcore.signOut',
  addProfile: 'agentcore.addProfile',
  resetSession: 'agentcore.resetSession',
  stopSession: 'agentcore.stopSession',
  dismissSession: 'agentcore.dismissSession',
  stopAllSessions: 'agentcore.stopAllSessions',
  stopOrphanedSessions: 'agentcore.stopOrphanedSessions',
  approveOnce: 'agentcore.approveOnce',
  approveForSession: 'agentcore.approveForSession',
  denyCall: 'agentcore.denyCall',
  showReplayLog: 'agentcore.showReplayLog',
  filterReplayLog: 'agentcore.filterReplayLog',
  openRecord: 'agentcore.openRecord',
  copyRecord: 'agentcore.copyRecord',
  exportReplayLog: 'agentcore.exportReplayLog',
  verifyAudit: 'agentcore.verifyAudit',
  showLogs: 'agentcore.showLogs',
  copyDiagnostics: 'agentcore.copyDiagnostics',
  openCloudWatchLogs: 'agentcore.openCloudWatchLogs',
  checkPolicy: 'agentcore.checkPolicy',
  copyPolicy: 'agentcore.copyPolicy',
  copyArn: 'agentcore.copyArn',
  copySessionId: 'agentcore.copySessionId',
  installForOtherClient: 'agentcore.installForOtherClient',
  refreshRuntimes: 'agentcore.refreshRuntimes',
  refreshCredentials: 'agentcore.refreshCredentials',
  refreshSessions: 'agentcore.refreshSessions',
  openSettings: 'agentcore.openSettings',
} as const;

export type CommandId = (typeof Commands)[keyof typeof Commands];

/** Names of the settings below `agentcore.`. */
export const Settings = {
  runtimes: 'runtimes',
  discoveryProfiles: 'discovery.profiles',
  discoveryRegions: 'discovery.regions',
  awsConfigFile: 'aws.configFile',
  awsCredentialsFile: 'aws.credentialsFile',
  noticeAfter: 'sessions.noticeAfterMinutes',
  statusBar: 'sessions.statusBar',
} as const;

/** Context keys for the `when` clauses of welcome views and menus. */
export const Contexts = {
  hasRuntimes: 'agentcore.hasRuntimes',
  settingsAreBroken: 'agentcore.settingsAreBroken',
  hasProfiles: 'agentcore.hasProfiles',
  journalIsBroken: 'agentcore.journalIsBroken',
  logIsFiltered: 'agentcore.logIsFiltered',
  mcpIsOff: 'agentcore.mcpIsOff',
} as const;
