-- title           = "Person or instance gave somebody access to an EKS cluster"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1098.006", "attack.privilege_escalation"]
-- remedy          = "Ask the owner of the cluster; take the entry away (DeleteAccessEntry), and read in the audit log what the principal did."
-- false_positives = "Whoever runs the cluster."
SELECT eventTime,
       eventName,
       requestParameters ->> 'principalArn' AS principal,
       coalesce(requestParameters ->> 'kubernetesGroups', requestParameters ->> 'policyArn') AS rights,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource,
       -- cluster_admin_granted tells it
       CASE WHEN regexp_like(requestParameters ->> 'policyArn', '/AmazonEKS(Cluster)?AdminPolicy$') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'eks.amazonaws.com'
  AND eventName IN ('CreateAccessEntry', 'UpdateAccessEntry', 'AssociateAccessPolicy')
  AND (json_length(requestParameters, 'kubernetesGroups') > 0
       OR json_contains(requestParameters, 'policyArn'))
  AND NOT is_infrastructure_tool()
  AND (is_by_hand_or_script()
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
