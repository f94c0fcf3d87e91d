-- title           = "VPC flow logs were deleted"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "cis.3.7"]
-- remedy          = "Create the flow log again for the VPC; from now until then traffic is not recorded, so look at what the principal did next."
-- false_positives = "Terraform or CloudFormation that takes a whole VPC down (low by the role of a program)."
SELECT eventTime,
       errorCode,
       requestParameters ->> 'DeleteFlowLogsRequest' AS request,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'DeleteFlowLogsRequest' -> 'FlowLogId' ->> 'content', regexp_match(requestParameters ->> 'DeleteFlowLogsRequest', 'fl-[0-9a-f]+')[1]) AS resource,
       -- Terraform and CloudFormation delete the logs of a network with it
       CASE WHEN (is_infrastructure_tool() OR userIdentity.invokedBy = 'cloudformation.amazonaws.com') AND NOT is_person() THEN 'low'
            WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'VPC flow logs were deleted'
            ELSE 'Somebody tried to delete VPC flow logs' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'DeleteFlowLogs'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
