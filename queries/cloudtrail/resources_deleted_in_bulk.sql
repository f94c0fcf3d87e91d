-- title           = "Person deleted many resources within a quarter of an hour"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485", "attack.t1489"]
-- remedy          = "Ask whoever it was; stop the principal (revoke its sessions) and restore what can be restored if nobody can say."
-- false_positives = "A test environment that is taken down by hand."
SELECT userIdentity.arn AS who,
       count(*) AS deleted,
       count(DISTINCT eventName) AS kinds,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(userIdentity.arn) AS resource
FROM cloudtrail
WHERE regexp_like(eventName, '^Delete(Volume|Function|Stack|Queue|Topic|Secret|LogGroup|Repository|Table|DB|LoadBalancer|Rule$|StateMachine|AutoScalingGroup|HostedZone|Parameter|SecurityGroup|NetworkInterface|Subnet|Job|Cluster|Service$|Bucket$|CacheCluster|ServerlessCache$|Nodegroup$|RestApi$|Distribution)|^(BatchDeleteImage|TerminateWorkspaces)$')
  -- tables of Glue's catalog only say where data is, and analysts make and drop them all day; glue_tables_deleted_in_bulk counts them
  AND NOT (eventSource = 'glue.amazonaws.com' AND eventName = 'DeleteTable')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_by_hand()
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(*) >= 10
    OR count(*) FILTER (WHERE regexp_like(eventName, '^Delete(Stack|Repository|Secret|Table|DBInstance|DBCluster|Queue|LogGroup|HostedZone|LoadBalancer|CacheCluster|ServerlessCache|Nodegroup|RestApi|Distribution[0-9_]*)$')) >= 5
    -- many by one call
    OR sum(CAST(coalesce(array_length(json_get_array(requestParameters, 'names')), array_length(json_get_array(requestParameters, 'terminateWorkspaceRequests'))) AS BIGINT)) >= 20
