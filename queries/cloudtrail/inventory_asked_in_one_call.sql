-- title           = "Everything in the account was asked for at once"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1580", "attack.t1526"]
-- remedy          = "Ask the owner of the principal; one such answer lists what hundreds of calls would. See what they turned to next."
-- false_positives = "Whoever counts what there is."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'expression', requestParameters ->> 'queryString', requestParameters ->> 'resourceTypeFilters') AS question,
       sourceIPAddress,
       userAgent,
       CASE WHEN (userIdentity.accessKeyId LIKE 'AKIA%' OR userIdentity.type = 'FederatedUser') OR NOT is_person() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('resource-explorer-2.amazonaws.com', 'config.amazonaws.com', 'cloudformation.amazonaws.com', 'tagging.amazonaws.com')
  AND eventName IN ('Search', 'ListResources', 'SelectResourceConfig', 'SelectAggregateResourceConfig', 'StartResourceScan', 'GetResources')
  AND sessionCredentialFromConsole IS NOT TRUE
  AND (is_by_hand()
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
          AND eventName <> 'GetResources')
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
